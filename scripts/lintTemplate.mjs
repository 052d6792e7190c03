// Lints the CloudFormation templates that would be deployed, for every way to place data in an account (test/infra/variants.json), with cfn-lint from PyPI in an environment of its own below build/.
// node scripts/lintTemplate.mjs; needs python3 with venv. Ends with 1 when there is an error or a warning of ours.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { packagedTemplateFile } from './packagersAnswer.mjs';
import { CFN_LINT_VERSION, cfnLint } from './pythonTools.mjs';

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
/** A process reads the rules, and the schema of every type of resource, for as long as it lints a template. */
const PROCESSES = 2;

const linter = cfnLint();
const isKnown = ({ rule, resource }) =>
  KNOWN.some((known) => known.rule === rule && known.resource.test(resource));
const variants = JSON.parse(readFileSync(join(project, 'test/infra/variants.json'), 'utf8'));
const templates = Object.entries(variants).map(([variant, params]) => {
  const file = packagedTemplateFile(
    'prod',
    params.map((param) => `--param=${param}`),
  );
  return { variant, file };
});
const shares = Array.from({ length: PROCESSES }, (_, i) => templates.filter((_, j) => j % PROCESSES === i));
const found = (await Promise.all(shares.map((share) => findings(share.map(({ file }) => file))))).flat();
for (const { variant, file } of templates) {
  const here = found.filter(({ Filename }) => Filename === file).map(finding);
  const ours = here.filter((each) => !isKnown(each));
  for (const { problem } of ours) console.error(problem);
  const known = here.length - ours.length;
  console.log(
    `cfn-lint ${CFN_LINT_VERSION}, ${variant}: ${ours.length} findings, ${known} known ones of osls`,
  );
  if (ours.length > 0) process.exitCode = 1;
}

/** Its exit code only tells of findings, and is no 0 for the known ones. */
async function findings(files) {
  const args = ['--format', 'json', '--regions', REGION, '--', ...files];
  const child = spawn(linter, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}

function finding({ Rule, Message, Location }) {
  const [section, resource] = Location.Path;
  return { rule: Rule.Id, resource, problem: `${Rule.Id} ${section}.${resource}: ${Message}` };
}
