// What osls, which packages the stack, says of the sources as they are now. It takes seconds, so that every state of the sources
// is asked about once, for all test files, processes and linters.
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

const project = fileURLToPath(new URL('..', import.meta.url));
const osls = join(project, 'node_modules/osls');
/** What the packager reads. */
const SOURCES = ['serverless.yml', 'infra'];
const FUNCTIONS = ['arrivals', 'freshness', 'plan', 'publish', 'score'];

/**
 * The file of the CloudFormation template that would be deployed, packaged without credentials and with empty zips: what they hold
 * is no part of it. @param params such as `--param=events=DISABLED`
 */
export function packagedTemplateFile(stage, params) {
  return packagersAnswer('package', stage, params, (folder, run) => {
    for (const name of FUNCTIONS) writeFileSync(join(folder, `${name}.zip`), 'zip');
    run('--package', join(folder, 'package'), `--param=artifacts=${folder}`);
    return readFileSync(join(folder, 'package/cloudformation-template-update-stack.json'), 'utf8');
  });
}

/** The file of the sources with their variables resolved, as the packager reads them and before it makes a template of them. */
export function resolvedSourcesFile(stage) {
  return packagersAnswer('print', stage, [], (_, run) => run('--format', 'json'));
}

function packagersAnswer(command, stage, params, ask) {
  const args = [command, '--stage', stage, ...params];
  const cache = join(project, 'build/templates');
  const answer = join(cache, `${digestOfInputs(args)}.json`);
  if (existsSync(answer)) return answer;
  // The packager works in a folder .serverless beside its sources: two of them at a time would share it.
  const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-template-'));
  try {
    for (const name of SOURCES) cpSync(join(project, name), join(folder, name), { recursive: true });
    const run = (...more) =>
      execFileSync(process.execPath, [join(osls, 'bin/serverless.js'), ...args, ...more], {
        cwd: folder,
        // What it writes when it fails is in the error.
        stdio: 'pipe',
        encoding: 'utf8',
      });
    const text = ask(folder, run);
    mkdirSync(cache, { recursive: true });
    const draft = `${answer}.${randomUUID()}`;
    writeFileSync(draft, text);
    // Another test process never reads half of it.
    renameSync(draft, answer);
    return answer;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function digestOfInputs(args) {
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
