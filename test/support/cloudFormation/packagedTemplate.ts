import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** A CloudFormation template's resources by their logical names. */
export type Resources = Readonly<Record<string, Resource>>;

const project = fileURLToPath(new URL('../../..', import.meta.url));
const osls = join(project, 'node_modules/osls');
/** What the packager reads. */
const SOURCES = ['serverless.yml', 'infra'];
const FUNCTIONS = ['arrivals', 'freshness', 'plan', 'publish', 'score'];

/**
 * Resources of the CloudFormation template that would be deployed, packaged without credentials and with empty zips.
 * Packaged once per state of the sources, for all test files and processes.
 */
export function packagedTemplate(stage: string, ...params: readonly string[]): Resources {
  const text = packagersAnswer('package', stage, params, (folder, run) => {
    for (const name of FUNCTIONS) writeFileSync(join(folder, `${name}.zip`), 'zip');
    run('--package', join(folder, 'package'), `--param=artifacts=${folder}`);
    return readFileSync(join(folder, 'package/cloudformation-template-update-stack.json'), 'utf8');
  });
  return JSON.parse(text).Resources;
}

/** The sources with their variables resolved, as the packager reads them and before it makes a template of them. */
export function resolvedSources(stage: string): {
  readonly resources: { readonly Resources: Resources };
  readonly functions: object;
} {
  return JSON.parse(packagersAnswer('print', stage, [], (_, run) => run('--format', 'json')));
}

/** What the packager says of the sources as they are now; from a file when it has been asked before. */
function packagersAnswer(
  command: 'package' | 'print',
  stage: string,
  params: readonly string[],
  ask: (folder: string, run: (...more: readonly string[]) => string) => string,
): string {
  const args = [command, '--stage', stage, ...params];
  const cache = join(project, 'build/templates');
  const answer = join(cache, `${digestOfInputs(args)}.json`);
  if (existsSync(answer)) return readFileSync(answer, 'utf8');
  // The packager works in a folder .serverless beside its sources: two of them at a time would share it.
  const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-template-'));
  try {
    for (const name of SOURCES) cpSync(join(project, name), join(folder, name), { recursive: true });
    const run = (...more: readonly string[]) =>
      execFileSync(process.execPath, [join(osls, 'bin/serverless.js'), ...args, ...more], {
        cwd: folder,
        stdio: 'pipe',
        encoding: 'utf8',
      });
    const text = ask(folder, run);
    mkdirSync(cache, { recursive: true });
    const draft = `${answer}.${randomUUID()}`;
    writeFileSync(draft, text);
    // Another test process never reads half of it.
    renameSync(draft, answer);
    return text;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function digestOfInputs(args: readonly string[]): string {
  const files = [
    join(project, 'serverless.yml'),
    ...readdirSync(join(project, 'infra')).map((name) => join(project, 'infra', name)),
    join(osls, 'package.json'),
    fileURLToPath(import.meta.url),
  ];
  const hash = createHash('sha256').update(JSON.stringify(args));
  for (const file of files) hash.update(`\n${file}\n`).update(readFileSync(file));
  return hash.digest('hex');
}
