import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { handler as planHandler } from '../../functions/plan.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { readRunPlan } from '../../lib/publish/runPlan.ts';
import { callMain } from '../cli/callMain.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { setJob } from '../support/functions/jobVariable.ts';
import { planWhole } from '../support/functions/planWhole.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

// Kinds of nights that went wrong for real teams, planned as an operator does and as the schedule does. All lie in the past.
const s3 = testEndpoint();
const folder = temporaryFolder();
const nights = join(sharedData, 'nights');
let bundleUri: string;
let count = 0;

interface Planned {
  readonly partitions: readonly string[];
  readonly rows: number;
  readonly shards: number;
}

function summaryOf(
  partitions: readonly {
    partition: string;
    parts: readonly { spans: readonly { shard: string; rows: number }[] }[];
  }[],
): Planned {
  const spans = partitions.flatMap(({ partition, parts }) =>
    parts.flatMap((part) => part.spans.map(({ shard, rows }) => ({ uri: `${partition}/${shard}`, rows }))),
  );
  return {
    partitions: partitions.map(({ partition }) => partition),
    rows: spans.reduce((sum, { rows }) => sum + rows, 0),
    shards: new Set(spans.map(({ uri }) => uri)).size,
  };
}

async function planByCommand(input: string, job: object) {
  const file = join(folder, `job-${count++}.json`);
  writeFileSync(file, JSON.stringify({ input, scores: join(folder, 'scores'), model: bundleUri, ...job }));
  const { exitCode, stdout, stderr } = await callMain('plan', '--job', file, '--json');
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function planByFunction(input: string, job: object): Promise<Planned> {
  const root = `s3://${s3.bucket}/night-${count++}`;
  await putFolder(input, `${root}/features`);
  setJob({ input: `${root}/features`, scores: `${root}/scores`, model: `s3://${s3.bucket}/model`, ...job });
  const planned = await planWhole(planHandler, { partitions: { kind: 'newest' } });
  const found = planned.map(({ run, units }) => ({
    partition: run.item.partition,
    parts: units.flatMap(({ parts }) => parts.flatMap((part) => ('spans' in part ? [part] : []))),
  }));
  return summaryOf(found);
}

/** An input root with a shard of 2,000 rows at each path, apart from markers. */
function inputOf(...files: readonly string[]): string {
  const root = mkdtempSync(join(folder, 'input-'));
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    if (file.endsWith('_SUCCESS')) writeFileSync(join(root, file), '');
    else copyFileSync(join(nights, 'days/dt=2024-03-04/part-0.parquet'), join(root, file));
  }
  return root;
}
const shardsIn = (...partitions: readonly string[]) => partitions.map((each) => `${each}/part-0.parquet`);
const hoursOf = (day: string, first: number, last: number) =>
  Array.from(
    { length: last - first + 1 },
    (_, index) => `${day}/hour=${String(first + index).padStart(2, '0')}`,
  );

describe.skipIf(!hasSharedData)('a night', () => {
  beforeAll(async () => {
    ({ bundleUri } = await trainTinyModel(join(folder, 'model')));
    await putFolder(bundleUri, `s3://${s3.bucket}/model`);
  }, 60_000);

  describe.each([
    [
      '`plan --job`',
      async (input: string, job: object) => summaryOf((await planByCommand(input, job)).partitions),
    ],
    ["the plan function's JOB", planByFunction],
  ])('by %s', (_, plan) => {
    it('of shards without a suffix is planned whole', async () => {
      expect(await plan(join(nights, 'no-extension'), {})).toEqual({
        partitions: ['dt=2024-03-04'],
        rows: 8000,
        shards: 4,
      });
    });

    it('of a Delta table is refused', async () => {
      await expect(plan(join(nights, 'delta-table'), {})).rejects.toThrow(/INPUT_IS_TABLE.*_delta_log/s);
    });

    test.each<[string, readonly string[], object, readonly string[]]>([
      [
        'takes the newest day over names that say none and over days to come',
        shardsIn('dt=2024-03-04', 'dt=__HIVE_DEFAULT_PARTITION__', 'dt=test', 'dt=9999-12-31'),
        {},
        ['dt=2024-03-04'],
      ],
      [
        'takes October over September',
        shardsIn('year=2024/month=9/day=30', 'year=2024/month=10/day=1'),
        { partitions: 'year=/month=/day=' },
        ['year=2024/month=10/day=1'],
      ],
      [
        'takes all hours of the day',
        shardsIn('dt=2024-03-04/hour=9', ...hoursOf('dt=2024-03-04', 10, 15)),
        { partitions: 'dt=/hour=' },
        ['dt=2024-03-04/hour=9', ...hoursOf('dt=2024-03-04', 10, 15)],
      ],
      [
        'takes the newest day of any region',
        shardsIn('region=eu/dt=2024-03-06', 'region=us/dt=2024-03-02'),
        { partitions: 'region=/dt=' },
        ['region=eu/dt=2024-03-06'],
      ],
      [
        'takes the newest day of every region that has it',
        shardsIn('region=eu/dt=2024-03-06', 'region=us/dt=2024-03-06', 'region=us/dt=2024-03-02'),
        { partitions: 'region=/dt=' },
        ['region=eu/dt=2024-03-06', 'region=us/dt=2024-03-06'],
      ],
      [
        'takes 24 hours of a compact date',
        shardsIn(...hoursOf('date=20240304', 0, 23)),
        { partitions: 'date=%Y%m%d/hour=%H' },
        hoursOf('date=20240304', 0, 23),
      ],
      [
        'waits for the marker of a day that is half written',
        [
          ...shardsIn('dt=2024-03-04', 'dt=2024-03-05'),
          'dt=2024-03-04/_SUCCESS',
          'dt=2024-03-05/_temporary/0/task_1/part-1.parquet',
        ],
        { completeness: { kind: 'marker' } },
        ['dt=2024-03-04'],
      ],
      [
        'takes hours for one day where the layout knows days only',
        shardsIn(...hoursOf('dt=2024-03-04', 1, 2)),
        {},
        ['dt=2024-03-04'],
      ],
    ])('%s', async (_title, files, job, expected) => {
      expect((await plan(inputOf(...files), job)).partitions).toEqual(expected);
    });

    it('of a day beside its own hours is refused, with a shard of each', async () => {
      const input = inputOf(...shardsIn('dt=2024-03-04', 'dt=2024-03-04/hour=01'));
      await expect(plan(input, {})).rejects.toThrow(
        /PLAN_NESTED_PARTITION.*part-0\.parquet beside hour=01\/part-0\.parquet/s,
      );
    });

    it('of hours beside their own minutes is refused, too', async () => {
      const input = inputOf(...shardsIn('dt=2024-03-04/hour=01', 'dt=2024-03-04/hour=01/minute=30'));
      await expect(plan(input, {})).rejects.toThrow(/PLAN_NESTED_PARTITION/);
    });
  });

  it('says what was passed over: folders with reasons, days without a partition, files that are no shards', async () => {
    const odd = Array.from({ length: 12 }, (_, index) => `dt=test-${String(index).padStart(2, '0')}`);
    const input = inputOf(...shardsIn('dt=2024-03-02', 'dt=2024-03-04', ...odd));
    writeFileSync(join(input, 'dt=2024-03-04/notes.txt'), 'not a shard');
    const notes = join(input, 'dt=2024-03-04/notes.txt');
    const file = join(folder, 'told.json');
    const output = join(folder, 'told-plan.json');
    writeFileSync(file, JSON.stringify({ input, scores: join(folder, 'scores'), model: bundleUri }));
    const args = ['plan', '--job', file, '--from', '2024-03-01', '--to', '2024-03-05', '--output', output];
    const [text, json] = await Promise.all([callMain(...args), callMain(...args, '--json')]);
    const reasons = odd.map((name) => `'${name.slice(3)}' is not of the form %Y-%m-%d`);
    const told = text.stdout.slice(text.stdout.indexOf('passed over:'));
    expect(told.split('\n')).toEqual([
      'passed over:',
      ...odd.slice(0, 10).map((name, index) => `  ${name}: ${reasons[index]}`),
      '  and 2 more',
      'days without a partition:',
      '  2024-03-03',
      'files that are no shards:',
      `  ${notes}`,
      '',
    ]);
    const document = JSON.parse(json.stdout);
    expect(document.skipped).toEqual(odd.map((name, index) => ({ name, reason: reasons[index] })));
    expect(document).toMatchObject({ missingDays: ['2024-03-03'], ignored: [notes] });
    expect(Object.keys(await readRunPlan(output))).not.toContain('skipped');
  });

  it('passes over a folder without a shard with its reason and plans the others; where none has one, it fails', async () => {
    const file = join(folder, 'empty.json');
    const input = inputOf(...shardsIn('dt=2024-03-01', 'dt=2024-03-03'));
    mkdirSync(join(input, 'dt=2024-03-02'));
    writeFileSync(join(input, 'dt=2024-03-02', 'notes.txt'), 'late');
    writeFileSync(file, JSON.stringify({ input, scores: join(folder, 'empty-scores'), model: bundleUri }));
    const output = join(folder, 'empty-plan.json');
    const plan = (from: string, to: string, ...more: string[]) =>
      callMain('plan', '--job', file, '--from', from, '--to', to, '--output', output, ...more);
    const { stdout, exitCode } = await plan('2024-03-01', '2024-03-03');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^dt=2024-03-01 .*\ndt=2024-03-03 .*passed over:\n {2}dt=2024-03-02: INPUT_EMPTY: .*there is no shard to read.*notes\.txt/s,
    );
    const { partitions } = await readRunPlan(output);
    expect(partitions.map(({ partition }) => partition)).toEqual(['dt=2024-03-01', 'dt=2024-03-03']);
    expect(partitions[1]!.earlier.previous?.partition).not.toBe('dt=2024-03-02');
    const json = JSON.parse((await plan('2024-03-01', '2024-03-03', '--json')).stdout);
    expect(json.skipped).toMatchObject([{ name: 'dt=2024-03-02' }]);
    expect(json.stages).toEqual(['complete', 'complete']);
    const alone = await plan('2024-03-02', '2024-03-02');
    expect([alone.exitCode, alone.stderr]).toEqual([1, expect.stringContaining('INPUT_EMPTY')]);
  });

  it('tells which of its days lack a region or an hour that the days around them have', async () => {
    const file = join(folder, 'gaps.json');
    const days = ['2024-03-01', '2024-03-02', '2024-03-03', '2024-03-04'];
    const names = days.flatMap((day) => ['eu', 'us'].map((region) => `region=${region}/dt=${day}`));
    const input = inputOf(...shardsIn(...names.filter((name) => name !== 'region=us/dt=2024-03-03')));
    const job = { input, scores: join(folder, 'gap-scores'), model: bundleUri, partitions: 'region=/dt=' };
    writeFileSync(file, JSON.stringify(job));
    const args = ['plan', '--job', file, '--from', '2024-03-02', '--to', '2024-03-03'];
    const { stdout } = await callMain(...args);
    expect(stdout).toContain(
      '\ndays without hours or regions that the days around them have:\n  2024-03-03: region=us\n',
    );
    const gaps = [{ day: '2024-03-03', lacks: ['region=us'] }];
    expect(JSON.parse((await callMain(...args, '--json')).stdout)).toMatchObject({ gaps });
    const status = await callMain('status', '--job', file);
    expect(status.stdout).toContain('\n2024-03-03  without region=us, which days around it have\n');
    expect(status.exitCode).toBe(0);
  });

  it('names partitions that are one hour by what their names mean, each of which would be published', async () => {
    const file = join(folder, 'same-times.json');
    const names = ['7', '07', '8'].map((hour) => `dt=2024-03-02/hour=${hour}`);
    const input = inputOf(...shardsIn('dt=2024-03-01/hour=7', ...names));
    const job = { input, scores: join(folder, 'same-scores'), model: bundleUri, partitions: 'dt=/hour=' };
    writeFileSync(file, JSON.stringify(job));
    const same = ['dt=2024-03-02/hour=07', 'dt=2024-03-02/hour=7'];
    for (const choice of [[], ['--from', '2024-03-01']]) {
      const { stdout } = await callMain('plan', '--job', file, ...choice);
      expect(stdout).toContain(
        `\npartitions of one time by their names, published each for itself:\n  ${same.join(', ')}\n`,
      );
      const json = await callMain('plan', '--job', file, ...choice, '--json');
      expect(JSON.parse(json.stdout)).toMatchObject({ sameTimes: [same] });
    }
    const { stdout } = await callMain('status', '--job', file);
    expect(stdout).toContain(`\n${same.join(', ')}  one time by their names, published each for itself\n`);
    const one = await callMain('plan', '--job', file, '--from', '2024-03-01', '--to', '2024-03-01', '--json');
    expect(JSON.parse(one.stdout)).toMatchObject({ sameTimes: [] });
  });

  it('is scored with another bundle where `--model` says so', async () => {
    const file = join(folder, 'backfill.json');
    const job = {
      input: inputOf(...shardsIn('dt=2024-03-04')),
      scores: join(folder, 'scores'),
      model: 'gone',
    };
    writeFileSync(file, JSON.stringify({ ...job, targetRows: 7 }));
    const { stdout, stderr } = await callMain('plan', '--job', file, '--model', bundleUri, '--json');
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ modelUri: bundleUri, root: job.scores, targetRows: 7 });
  });
});

it("the functions' job has a job document's defaults", () => {
  const job = parseJob({ input: 'i', scores: 's', model: 'm' });
  expect(job).toMatchObject({ timeZone: 'UTC', targetRows: 1_000_000, completeness: { kind: 'none' } });
  expect(job.layout.text).toBe('dt=%Y-%m-%d');
});
