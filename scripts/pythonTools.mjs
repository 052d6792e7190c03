// What CI runs of Python; each environment is installed when it is asked for first.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment } from './pythonEnvironment.mjs';

export const CFN_LINT_VERSION = '1.58.0';
const motoRequirements = join(fileURLToPath(new URL('..', import.meta.url)), 'test/deploy/requirements.txt');

/** The executable of cfn-lint. */
export function cfnLint() {
  return join(pythonEnvironment('cfn-lint', `cfn-lint==${CFN_LINT_VERSION}\n`), 'cfn-lint');
}

/** The folder of the executables of moto. */
export function moto() {
  return pythonEnvironment('moto', readFileSync(motoRequirements, 'utf8'));
}
