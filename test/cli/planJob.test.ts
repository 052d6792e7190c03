import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import type { RunPlan } from '../../lib/publish/runPlan.ts';
import type { Span } from '../../lib/publish/span.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

// Which partitions `plan` takes of inputs that are not as tidy as examples.
const folder = temporaryFolder();
const shard = funnelShard(funnelRows('2024-03-04', 30), 20);
let model: string;
let caseNumber = 0;

beforeAll(async () => {
  model = (await trainTinyModel(join(folder, 'model'))).bundleUri;
}, 60_000);

/** An input root with the same shard at every path; a path that ends in another name than a shard's gets an empty file. */
function inputOf(...paths: readonly string[]): string {
  const root = join(folder, `input-${caseNumber++}`);
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path.endsWith('_SUCCESS') ? '' : shard);
  }
  return root;
}

async function plan(input: string, job: object, ...more: readonly string[]) {
  const file = join(folder, `job-${caseNumber++}.json`);
  writeFileSync(file, JSON.stringify({ input, scores: join(folder, 'scores'), model, ...job }));
  const { exitCode, stdout, stderr } = await callMain('plan', '--job', file, '--json', ...more);
  const document = exitCode === 0 ? JSON.parse(stdout) : undefined;
  const chosen = document?.partitions.map(({ partition }: { partition: string }) => partition);
  return { exitCode, stderr, document, chosen };
}

/** Of a plan's only partition. */
function spansOf({ partitions }: Pick<RunPlan, 'partitions'>): readonly Span[] {
  expect(partitions).toHaveLength(1);
  return partitions[0]!.parts.flatMap(({ spans }) => spans);
}

describe('plan with a job', () => {
  test.each<[string, readonly string[], object, readonly string[]]>([
    [
      'takes the newest day that is a day and has come',
      ['dt=2024-03-04/a', 'dt=__HIVE_DEFAULT_PARTITION__/a', 'dt=test/a', 'dt=9999-12-31/a'],
      {},
      ['dt=2024-03-04'],
    ],
    [
      'takes month 10 after month 9',
      ['year=2023/month=9/day=30/a', 'year=2023/month=10/day=1/a'],
      { partitions: 'year=/month=/day=' },
      ['year=2023/month=10/day=1'],
    ],
    [
      'takes all hours of a day of both regions',
      [
        'region=eu/dt=2024-03-04/hour=9/a',
        'region=us/dt=2024-03-04/hour=10/a',
        'region=eu/dt=2024-03-03/hour=15/a',
      ],
      { partitions: 'region=/dt=/hour=' },
      ['region=eu/dt=2024-03-04/hour=9', 'region=us/dt=2024-03-04/hour=10'],
    ],
    [
      'waits for the marker of a half-written day',
      ['date=20240304/a', 'date=20240304/_SUCCESS', 'date=20240305/a', 'date=20240305/_temporary/0/b'],
      { partitions: 'date=%Y%m%d', completeness: { kind: 'marker' } },
      ['date=20240304'],
    ],
  ])('%s', async (_, paths, job, expected) => {
    expect(await plan(inputOf(...paths), job)).toMatchObject({ exitCode: 0, chosen: expected });
  });

  it('names what it passes over and which days are missing, and plans the rest of the range', async () => {
    const input = inputOf('dt=2024-03-01/a', 'dt=2024-03-03/a', 'dt=x/a');
    writeFileSync(join(input, 'dt=2024-03-03/notes.txt'), 'no shard');
    const { chosen, document } = await plan(input, {}, '--from', '2024-03-01', '--to', '2024-03-04');
    expect(chosen).toEqual(['dt=2024-03-01', 'dt=2024-03-03']);
    expect(document).toMatchObject({
      skipped: [{ name: 'dt=x', reason: "'x' is not of the form %Y-%m-%d" }],
      missingDays: ['2024-03-02'],
      ignored: [join(input, 'dt=2024-03-03/notes.txt')],
    });
    const args = [
      '--model',
      model,
      '--input',
      input,
      '--scores',
      join(folder, 'scores'),
      '--from',
      '2024-03-01',
    ];
    const { stdout } = await callMain('plan', ...args);
    expect(stdout).toContain("passed over:\n  dt=x: 'x' is not of the form %Y-%m-%d\n");
    expect(stdout).toContain('days without a partition:\n  2024-03-02\n');
    expect(stdout).toContain(`files that are no shards:\n  ${join(input, 'dt=2024-03-03/notes.txt')}\n`);
  });

  it('refuses a partition that holds another one, whose rows would count twice', async () => {
    const { exitCode, stderr } = await plan(inputOf('dt=2024-03-04/a', 'dt=2024-03-04/hour=01/a'), {});
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: PLAN_NESTED_PARTITION: .*found a beside hour=01\/a/);
  });

  it('takes a day whose shards all lie in hours as one partition', async () => {
    const planned = await plan(inputOf('dt=2024-03-04/hour=01/a', 'dt=2024-03-04/hour=02/a'), {});
    expect(planned.chosen).toEqual(['dt=2024-03-04']);
    expect(spansOf(planned.document)).toHaveLength(2);
  });

  it('tells every problem of a job at once, and which options a job takes the place of', async () => {
    const { exitCode, stderr } = await plan('in', { partitions: 'dt=%Y', timeZone: 'Mars', target: 1 });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('JOB_INVALID');
    for (const problem of [/partitions: .*no day/, /timeZone: .*time zone/, /"target"/]) {
      expect(stderr).toMatch(problem);
    }
    const both = await callMain('plan', '--job', 'job.json', '--input', 'in');
    expect(both).toMatchObject({ exitCode: 2, stdout: '' });
    expect(both.stderr).toContain('--input');
    const neither = await callMain('plan', '--model', model);
    expect(neither).toMatchObject({ exitCode: 2, stdout: '' });
    expect(neither.stderr).toContain('--input, --scores must be given');
  });
});

describe('the memory that a model takes', () => {
  it('is said; a model that a function could not hold is refused, by the job or by the command', async () => {
    const input = inputOf('dt=2024-03-04/a');
    const { document } = await plan(input, {});
    const { modelMegabytes } = document;
    expect(modelMegabytes).toBeGreaterThan(100);
    expect((await plan(input, { memoryMegabytes: 1769 })).exitCode).toBe(0);
    const refused = await plan(input, { memoryMegabytes: 128 });
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stderr).toMatch(/^error: PLAN_MODEL_TOO_LARGE: .*expected at most 128 MB/);
    expect((await plan(input, { memoryMegabytes: 128 }, '--memory', '1769')).exitCode).toBe(0);
    expect((await plan(input, {}, '--memory', '128')).stderr).toContain('PLAN_MODEL_TOO_LARGE');
  });
});

describe.skipIf(!hasSharedData)('nights that went wrong', () => {
  let nightsModel: string;
  beforeAll(async () => {
    nightsModel = join(folder, 'nights-model');
    const config = join(sharedData, 'nights/config.json');
    const trained = await callMain(
      'train',
      config,
      '--data',
      join(sharedData, 'nights/days'),
      '--output',
      nightsModel,
    );
    expect(trained.exitCode).toBe(0);
  }, 120_000);

  it('shards without an ending are planned with all their rows', async () => {
    const { document } = await plan(join(sharedData, 'nights/no-extension'), { model: nightsModel });
    const rows = spansOf(document).map((span) => span.rows);
    expect(rows).toHaveLength(4);
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(8000);
  });

  it('a Delta table is refused as a table', async () => {
    const { exitCode, stderr } = await plan(join(sharedData, 'nights/delta-table'), { model: nightsModel });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: INPUT_IS_TABLE: .*a Delta table/);
  });

  it("a null partition beside the days stands in nobody's way", async () => {
    const input = join(folder, 'null-dt');
    cpSync(join(sharedData, 'nights/train/null-dt/data'), input, { recursive: true });
    const { chosen, document } = await plan(input, { model: nightsModel });
    expect(chosen).toEqual(['dt=2024-03-03']);
    expect(document.skipped).toMatchObject([{ name: 'dt=__HIVE_DEFAULT_PARTITION__' }]);
  });
});
