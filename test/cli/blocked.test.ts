import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testLambda } from '../support/lambda/invokedFunction.ts';
import { callMain } from './callMain.ts';

// What operators read and type when a gate has blocked a partition.
const lambda = testLambda();
const folder = temporaryFolder();
const scores = join(folder, 'scores');
const plan = join(folder, 'plan.json');
const job = join(folder, 'job.json');
const YESTERDAY = 'dt=2024-03-08';
const TODAY = 'dt=2024-03-09';
let model: string;

const put = (partition: string, rows: readonly FunnelRow[]) => {
  mkdirSync(join(folder, 'input', partition), { recursive: true });
  writeFileSync(join(folder, 'input', partition, 'a.parquet'), funnelShard(rows));
};
const writeJob = (gates: object) =>
  writeFileSync(job, JSON.stringify({ input: join(folder, 'input'), scores, model, gates }));
const planOf = async () => {
  const planned = await callMain('plan', '--job', job, '--output', plan);
  expect(planned).toMatchObject({ exitCode: 0 });
};
const runPlanned = (...more: readonly string[]) => callMain('run', '--plan', plan, ...more);

beforeAll(async () => {
  model = (await trainTinyModel(join(folder, 'model'))).bundleUri;
  writeJob({});
  put(YESTERDAY, funnelRows('2024-03-08', 1_500));
  await planOf();
  expect(await runPlanned()).toMatchObject({ exitCode: 0 });
  put(
    TODAY,
    funnelRows('2024-03-09', 1_500).map((row) => ({ ...row, age: null })),
  );
}, 120_000);

it("a plan's command is not run, and nothing else is done, unless the operator allows it", async () => {
  const ran = join(folder, 'ran');
  writeJob({ audit: { command: ['touch', ran] } });
  await planOf();
  const { exitCode, stdout, stderr } = await runPlanned();
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain(`the plan audits with the command \`touch ${ran}\`, which needs --allow-audit`);
  expect(existsSync(ran)).toBe(false);
  expect(existsSync(join(scores, 'parts', TODAY))).toBe(false);
  // That the program is a file of that name shows that it does run when it may.
  expect((await runPlanned('--allow-audit')).exitCode).toBe(4);
  expect(existsSync(ran)).toBe(true);
}, 60_000);

it("a plan's function is not invoked unless the operator allows it, and then its word counts", async () => {
  writeJob({
    missingValues: { action: 'off' },
    scoreDistributions: { action: 'off' },
    audit: { function: 'check' },
  });
  await planOf();
  lambda.answer = { body: '{"passes":false,"reason":"shares moved"}' };
  const { exitCode, stdout, stderr } = await runPlanned();
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('the plan audits with the function check, which needs --allow-audit');
  expect(lambda.invocations).toEqual([]);
  const allowed = await runPlanned('--allow-audit');
  expect(allowed.stdout).toContain('PUBLISH_GATE_BLOCKED: audit of check: shares moved\n');
  expect(allowed.exitCode).toBe(4);
  expect(lambda.invocations).toMatchObject([
    { function: 'check', payload: { root: scores, partition: TODAY } },
  ]);
  const { manifestUri } = lambda.invocations[0]!.payload as { manifestUri: string };
  expect(existsSync(manifestUri)).toBe(true);
}, 60_000);

it('a blocked partition is told from published ones by `run` and by `status`, with what blocks it', async () => {
  writeJob({});
  await planOf();
  const { exitCode, stdout } = await runPlanned();
  expect(exitCode).toBe(4);
  expect(stdout).toMatch(
    /^dt=2024-03-09: blocked, \d+ parts scored\n {2}- PUBLISH_GATE_BLOCKED: missingValues of age: 100\.0% .+\nwhat to do: mend the input and plan again, .*release.*\n$/,
  );
  const status = (await callMain('status', '--scores', scores)).stdout.trim().split('\n');
  expect(status).toHaveLength(3);
  expect(status[2]).toBe('newest published day: 2024-03-08');
  expect(status[0]).toMatch(/^dt=2024-03-08 {2}tiny-1 {2}1,500 rows {2}generation 1 {2}/);
  expect(status[1]).toMatch(
    /^dt=2024-03-09 {2}BLOCKED: PUBLISH_GATE_BLOCKED: missingValues of age: 100\.0% /,
  );
  const ofJob = (await callMain('status', '--job', job)).stdout.trim().split('\n');
  expect(ofJob).toEqual([
    'dt=2024-03-08  published  1,500 rows of tiny-1, generation 1',
    expect.stringMatching(
      /^dt=2024-03-09 {2}blocked {2}PUBLISH_GATE_BLOCKED: missingValues of age: 100\.0% /,
    ),
    'newest published day: 2024-03-08',
  ]);
  const json = JSON.parse((await callMain('status', '--scores', scores, '--json')).stdout);
  expect(json).toMatchObject({
    pointers: [{ partition: YESTERDAY }],
    blocked: [{ partition: TODAY, generation: 0 }],
  });
}, 60_000);

it('a release puts who, when and why on record, and repeated says that it changes nothing', async () => {
  const release = (...more: readonly string[]) =>
    callMain('release', '--scores', scores, '--partition', TODAY, ...more);
  expect(await release('--override', 'known', '--by', ' ')).toMatchObject({ exitCode: 2, stdout: '' });
  const before = Date.now();
  expect(await release('--override', 'known', '--by', 'ada')).toMatchObject({
    exitCode: 0,
    stdout: `${TODAY}: released, 1,500 rows of tiny-1, generation 1\n`,
  });
  const { stdout } = await release('--override', 'known', '--by', 'grace');
  expect(stdout).toBe(`${TODAY}: released before, nothing was changed, 1,500 rows of tiny-1, generation 1\n`);
  const resolved = await callMain('resolve', '--scores', scores, '--partition', TODAY, '--json');
  const { override } = JSON.parse(resolved.stdout).audit;
  expect(override).toMatchObject({ reason: 'known', by: 'ada' });
  expect(Date.parse(override.at)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(override.at)).toBeLessThanOrEqual(Date.now());
  const told = [await callMain('status', '--scores', scores), await callMain('status', '--job', job)];
  for (const { stdout } of told) {
    expect(stdout).not.toContain('BLOCKED');
    expect(stdout.split('\n').filter((line) => line.includes('RELEASED past its gates'))).toEqual([
      expect.stringMatching(`^${TODAY} `),
    ]);
  }
}, 60_000);
