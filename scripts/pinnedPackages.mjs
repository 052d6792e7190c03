// Packages that tests run on, installed into a folder of their own from a package.json and its lock file.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const FILES = ['package.json', 'package-lock.json'];

/** Does a folder have what `pins` asks for? npm writes node_modules/.package-lock.json last. */
export function isInstalled(pins, target) {
  const isSame = (name) =>
    existsSync(join(target, name)) && readFileSync(join(target, name)).equals(readFileSync(join(pins, name)));
  return FILES.every(isSame) && existsSync(join(target, 'node_modules/.package-lock.json'));
}

/** @param variables of npm's environment */
export function install(pins, target, variables = {}) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of FILES) copyFileSync(join(pins, name), join(target, name));
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: target,
    env: { ...process.env, ...variables },
    stdio: 'inherit',
  });
}
