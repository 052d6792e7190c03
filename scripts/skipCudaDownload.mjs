// Before npm runs the install scripts of the packages that come with this one: lets onnxruntime-node's find in place what it would
// download from elsewhere than the registry, some 500 MB for GPUs. docs/decisions/0010-installing.md says why this way.
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ownFolder = fileURLToPath(new URL('..', import.meta.url));
// In a checkout the lock file keeps the script from being run.
if (basename(dirname(ownFolder)) === 'node_modules') {
  const require = createRequire(import.meta.url);
  const runtime = dirname(require.resolve('onnxruntime-node/package.json'));
  const { requirements, manifests } = require(join(runtime, 'script/install-metadata.js'));
  const platform = `${process.platform}/${process.arch}`;
  for (const name of requirements[platform] ?? []) {
    for (const file of Object.keys(manifests[`${platform}:${name}`])) {
      const library = join(runtime, 'bin/napi-v6', platform, file);
      // Empty: sessions on the CPU never open them.
      if (!existsSync(library)) writeFileSync(library, '');
    }
  }
}
