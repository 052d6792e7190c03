// Installs the versions of Node in test/nodeVersions into build/node-versions, when they are missing there or others are wanted.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
const pins = join(project, 'test/nodeVersions');
const target = join(project, 'build/node-versions');
const FILES = ['package.json', 'package-lock.json'];

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error(
    `Other versions of Node are run on Linux on x64; this is ${process.platform} on ${process.arch}.`,
  );
  process.exit(1);
}

const isSame = (name) =>
  existsSync(join(target, name)) && readFileSync(join(target, name)).equals(readFileSync(join(pins, name)));
// npm writes the last one when it is done.
if (!FILES.every(isSame) || !existsSync(join(target, 'node_modules/.package-lock.json'))) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of FILES) copyFileSync(join(pins, name), join(target, name));
  const quiet = ['--no-audit', '--no-fund', '--loglevel', 'error'];
  execFileSync('npm', ['ci', ...quiet], { cwd: target, stdio: 'inherit' });
}

/** @param major version @returns its executable */
export function nodeOf(major) {
  return join(target, 'node_modules', `node-${major}`, 'bin/node');
}
