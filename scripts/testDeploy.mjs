// Deploys the packaged stack to moto's server, an implementation of AWS that nobody here wrote, and runs test/deploy there.
// moto comes from PyPI into an environment of its own, build/moto, when it is missing there or its pin in
// test/deploy/requirements.txt has changed. Without a python3 with venv nothing is tested, and the exit code is 0.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moto } from './pythonTools.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const inherited = { cwd: project, stdio: 'inherit' };

if (spawnSync('python3', ['-c', 'import ensurepip, venv']).status !== 0) {
  console.warn('SKIPPED: there is no python3 with venv, so the packaged stack is not tested on moto.');
  process.exit(0);
}
moto();
execFileSync('npm', ['run', 'lambda:prepare'], inherited);
const vitest = join(project, 'node_modules/vitest/vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.deploy.config.ts'],
  inherited,
);
process.exitCode = status ?? 1;
