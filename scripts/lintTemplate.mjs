// Lints the CloudFormation templates that would be deployed, for every way to place data in an account (test/infra/variants.json), with cfn-lint from PyPI in an environment of its own below build/.
// node scripts/lintTemplate.mjs; needs python3 with venv. Ends with 1 when there is an error or a warning of ours.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment } from './pythonEnvironment.mjs';

const CFN_LINT_VERSION = '1.58.0';
const REGION = 'eu-central-1';
/** Findings in what the packager writes, which we cannot fix. */
const KNOWN = [
  {
    rule: 'W3005',
    resource: /^(Arrivals|Freshness|Plan|Publish|Score)LambdaFunction$/,
    why: 'osls writes DependsOn for a role that a function names anyway',
  },
];

const project = fileURLToPath(new URL('..', import.meta.url));
const build = join(project, 'build');

/** Packaged with empty zips: what they hold is no part of the template. */
function packagedTemplate(params) {
  const folder = join(build, 'template');
  mkdirSync(folder, { recursive: true });
  for (const name of ['arrivals', 'freshness', 'plan', 'publish', 'score'])
    writeFileSync(join(folder, `${name}.zip`), '');
  const osls = join(project, 'node_modules/osls/bin/serverless.js');
  const args = ['package', '--stage', 'prod', '--region', REGION, '--package', join(folder, 'package')];
  const given = params.map((param) => `--param=${param}`);
  execFileSync(process.execPath, [osls, ...args, `--param=artifacts=${folder}`, ...given], {
    cwd: project,
    // What it writes when it fails is in the error.
    stdio: 'pipe',
  });
  return join(folder, 'package', 'cloudformation-template-update-stack.json');
}

const cfnLint = join(pythonEnvironment('cfn-lint', `cfn-lint==${CFN_LINT_VERSION}\n`), 'cfn-lint');
const isKnown = ({ rule, resource }) =>
  KNOWN.some((known) => known.rule === rule && known.resource.test(resource));
const variants = JSON.parse(readFileSync(join(project, 'test/infra/variants.json'), 'utf8'));
for (const [variant, params] of Object.entries(variants)) {
  const { stdout, stderr, error } = spawnSync(
    cfnLint,
    ['--format', 'json', '--regions', REGION, '--', packagedTemplate(params)],
    { encoding: 'utf8' },
  );
  if (error !== undefined || stderr !== '') throw error ?? new Error(stderr);
  const findings = JSON.parse(stdout).map(({ Rule, Message, Location }) => {
    const [section, resource] = Location.Path;
    return { rule: Rule.Id, resource, text: `${Rule.Id} ${section}.${resource}: ${Message}` };
  });
  const ours = findings.filter((finding) => !isKnown(finding));
  for (const { text } of ours) console.error(text);
  const known = findings.length - ours.length;
  console.log(
    `cfn-lint ${CFN_LINT_VERSION}, ${variant}: ${ours.length} findings, ${known} known ones of osls`,
  );
  if (ours.length > 0) process.exitCode = 1;
}
