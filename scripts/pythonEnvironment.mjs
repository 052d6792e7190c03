// Python packages from PyPI in an environment of their own below build/; the project itself needs only Node.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of the executables of an environment with these packages, installed unless it is there; needs python3 with venv.
 * @param name folder below build/ @param requirements as pip writes them, one per line
 */
export function pythonEnvironment(name, requirements) {
  const environment = join(fileURLToPath(new URL('../build', import.meta.url)), name);
  const installed = join(environment, 'requirements.txt');
  const bin = join(environment, 'bin');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === requirements) return bin;
  console.log(`Installing ${name} into build/${name}, about half a minute ...`);
  // What a broken attempt has left would never get whole.
  rmSync(environment, { recursive: true, force: true });
  execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
  const packages = requirements.split('\n').filter((line) => line !== '');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  execFileSync(join(bin, 'python'), [...pip, ...packages], { stdio: 'inherit' });
  // Last, so that it tells a whole environment from a broken attempt.
  writeFileSync(installed, requirements);
  return bin;
}
