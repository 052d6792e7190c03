// Installs the versions of Node in test/nodeVersions into build/node-versions, when they are missing there or others are wanted.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, isInstalled } from './pinnedPackages.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const pins = join(project, 'test/nodeVersions');
const target = join(project, 'build/node-versions');

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error(
    `Other versions of Node are run on Linux on x64; this is ${process.platform} on ${process.arch}.`,
  );
  process.exit(1);
}

if (!isInstalled(pins, target)) install(pins, target);

/** @param major version @returns its executable */
export function nodeOf(major) {
  return join(target, 'node_modules', `node-${major}`, 'bin/node');
}
