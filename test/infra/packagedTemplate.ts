import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

const project = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Resources of the CloudFormation template that would be deployed, packaged without credentials and with empty zips.
 * @param folder for what packaging writes
 */
export function packagedTemplate(
  folder: string,
  stage: string,
  ...params: readonly string[]
): Readonly<Record<string, Resource>> {
  mkdirSync(folder, { recursive: true });
  for (const name of ['plan', 'score', 'publish']) writeFileSync(join(folder, `${name}.zip`), 'zip');
  const output = join(folder, `package-${stage}`);
  const osls = join(project, 'node_modules/osls/bin/serverless.js');
  const args = [
    osls,
    'package',
    '--stage',
    stage,
    '--package',
    output,
    `--param=artifacts=${folder}`,
    ...params,
  ];
  execFileSync(process.execPath, args, { cwd: project, stdio: 'pipe' });
  return JSON.parse(readFileSync(join(output, 'cloudformation-template-update-stack.json'), 'utf8'))
    .Resources;
}
