import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { below, pointerPath } from '../../lib/publish/outputLayout.ts';
import { runSettingsOf } from '../../lib/publish/partitionRun.ts';
import { type PartitionState, partitionStates } from '../../lib/publish/partitionState.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { RunRecorder, writeRunRecord } from '../../lib/publish/runRecord.ts';
import { callMain } from '../cli/callMain.ts';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { publishedBits } from './publishedBits.ts';

const folder = temporaryFolder();
let bundle: ModelBundle;
beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);

let count = 0;
function freshJob() {
  const base = join(folder, `case-${count++}`);
  const document = {
    input: join(base, 'input'),
    scores: join(base, 'scores'),
    model: bundle.uri,
    completeness: { kind: 'marker' },
    gates: GATES_OFF_DOCUMENT,
  };
  const put = (partition: string, name: string, rows = 20) => {
    mkdirSync(join(document.input, partition), { recursive: true });
    const bytes = name === '_SUCCESS' ? '' : funnelShard(funnelRows('2024-03-09', rows), rows);
    writeFileSync(join(document.input, partition, name), bytes);
  };
  const publish = async (...partitions: string[]) => {
    const settings = runSettingsOf(parseJob(document), { uri: bundle.uri, model: modelIdentity(bundle) });
    const inputs = partitions.map((partition) => ({ partition, inputUri: join(document.input, partition) }));
    const { plan } = await makeRunPlan(settings, inputs);
    const recorder = new RunRecorder();
    await executePlan(plan, bundle, { workers: 1, recorder });
    await writeRunRecord(document.scores, recorder.record(plan, 1, null));
  };
  return { document, job: parseJob(document), base, put, publish };
}

describe('where partitions stand', () => {
  it('is told of every one: which lack scores and why, which are stale and by which shards, which are held, which days are missing', async () => {
    const { document, job, base, put, publish } = freshJob();
    const days = ['01', '02', '03', '04', '06'].map((day) => `dt=2024-03-${day}`);
    for (const day of days) for (const name of ['a.parquet', 'b.parquet']) put(day, name);
    for (const day of days.slice(0, 4)) put(day, '_SUCCESS');
    mkdirSync(join(document.input, 'dt=test'));
    await publish(days[0]!, days[1]!);
    put(days[1]!, 'a.parquet', 30);
    put(days[1]!, 'c.parquet');
    rmSync(join(document.input, days[1]!, 'b.parquet'));
    await publish(days[2]!);
    put(days[2]!, 'c.parquet');
    await publish(days[2]!);
    await rollBack(document.scores, days[2]!, 'wrong day');
    const range = { from: '2024-03-01', to: '2024-03-31' };
    const found = await partitionStates(job, range, Date.parse('2024-04-01'));
    expect(found.states.map(({ partition, stage, reason }) => [partition, stage, reason])).toEqual([
      [days[0], 'published', undefined],
      [days[1], 'late', 'new or changed: a.parquet, c.parquet; gone: b.parquet'],
      [days[2], 'held', 'wrong day'],
      [days[3], 'complete', undefined],
      [days[4], 'landing', 'no _SUCCESS'],
    ]);
    expect(found.missingDays).toEqual(['2024-03-05']);
    expect(found.skipped).toMatchObject([{ name: 'dt=test' }]);
    const file = join(base, 'job.json');
    writeFileSync(file, JSON.stringify(document));
    const { stdout } = await callMain('status', '--job', file);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^dt=2024-03-01 {2}published {2}40 rows of tiny-1, generation 1$/),
      expect.stringMatching(
        /^dt=2024-03-02 {2}late {2}40 rows .*new or changed: a\.parquet, c\.parquet; gone/,
      ),
      expect.stringMatching(/^dt=2024-03-03 {2}held .* wrong day$/),
      'dt=2024-03-04  complete',
      'dt=2024-03-06  landing  no _SUCCESS',
      '2024-03-05  no partition',
      expect.stringMatching(/^dt=test {2}passed over: /),
      'newest published day: 2024-03-03',
      '',
    ]);
    const planned = await callMain('plan', '--job', file, '--from', '2024-03-02', '--to', '2024-03-06');
    expect([...planned.stdout.matchAll(/(?:parts?|contract); (\w+)/g)].map(([, stage]) => stage)).toEqual([
      'late',
      'held',
      'complete',
      'landing',
    ]);
    // Nor does a part of the days say how fresh all of them are.
    expect((await callMain('status', '--job', file, '--to', '2024-03-02')).stdout).not.toContain('newest');
    const outside = await callMain('status', '--job', file, '--from', '2025-01-01');
    expect(outside.stdout).toContain('the input has no partition of days from 2025-01-01 on\n');
    rmSync(document.input, { recursive: true });
    const { exitCode, stderr } = await callMain('status', '--job', file);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^error: PLAN_NO_PARTITION: .*no such input; relative paths, .* start at the folder/,
    );
  });

  it('of a folder without a shard is not complete, whatever the job waits for', async () => {
    const { document, put } = freshJob();
    put('dt=2024-03-01', '_SUCCESS');
    put('dt=2024-03-02', '_SUCCESS');
    put('dt=2024-03-02', 'a.parquet');
    const table = join(document.input, 'dt=2024-03-03', '_delta_log');
    mkdirSync(table, { recursive: true });
    writeFileSync(join(table, '0.json'), '{}');
    put('dt=2024-03-03', '_SUCCESS');
    for (const kind of ['none', 'marker'] as const) {
      const job = parseJob({ ...document, completeness: { kind } });
      const range = { from: '2024-03-01', to: '2024-03-03' };
      const { states } = await partitionStates(job, range, Date.parse('2024-04-01'));
      expect(states.map(({ stage, reason }) => [stage, reason])).toEqual([
        ['landing', 'no shard'],
        ['complete', undefined],
        ['landing', expect.stringMatching(/^INPUT_IS_TABLE: /)],
      ]);
    }
  });

  it('goes by the shards that the job counts, as its runs do', async () => {
    const { document, put, publish } = freshJob();
    const days = ['dt=2024-03-01', 'dt=2024-03-02', 'dt=2024-03-03'];
    for (const day of days.slice(0, 2)) put(day, 'part-0.parquet');
    await publish(...days.slice(0, 2));
    for (const day of days) put(day, 'totals.parquet');
    symlinkSync('nowhere', join(document.input, days[0]!, 'lost.parquet'));
    put(days[1]!, 'part-1.parquet');
    const job = parseJob({ ...document, shardPattern: 'part-*', completeness: { kind: 'none' } });
    const { states } = await partitionStates(job, undefined, Date.parse('2024-04-01'));
    expect(states.map(({ stage, reason }) => [stage, reason])).toEqual([
      ['published', undefined],
      ['late', 'new or changed: part-1.parquet'],
      ['landing', 'no shard'],
    ]);
  });

  it('asks for a job or a root', async () => {
    expect(await callMain('status')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--scores or --job'),
    });
  });
});

describe('what the last run has left undone', () => {
  const RANGE = { from: '2024-03-01', to: '2024-03-31' };
  const NOW = Date.parse('2024-04-01');

  it('is told with outcome, time and codes, whether or not something is published, until a run has ended well', async () => {
    const { document, job, base, put, publish } = freshJob();
    const [refused, stale, good] = ['01', '02', '03'].map((day) => `dt=2024-03-${day}`) as [
      string,
      string,
      string,
    ];
    for (const day of [refused, stale, good]) for (const name of ['a.parquet', '_SUCCESS']) put(day, name);
    await publish(stale);
    const broken = [refused, stale].map((day) => join(document.input, day, 'b.parquet'));
    for (const file of broken) writeFileSync(file, 'cut');
    const before = Date.now();
    await publish(refused, stale, good);
    const { states } = await partitionStates(job, RANGE, NOW);
    const [first, second, third] = states as [PartitionState, PartitionState, PartitionState];
    expect([first.stage, second.stage, third.stage]).toEqual(['complete', 'late', 'published']);
    expect(third.lastFailure).toBeUndefined();
    for (const [place, state] of [first, second].entries()) {
      expect(state.lastFailure).toMatchObject({
        outcome: 'refused',
        problems: [expect.stringMatching(`${broken[place]}.*SHARD_TRUNCATED`)],
      });
      const ended = Date.parse(state.lastFailure!.endedAt);
      expect(ended >= before && ended <= Date.now()).toBe(true);
    }
    const file = join(base, 'job.json');
    writeFileSync(file, JSON.stringify(document));
    const page = join(base, 'status.html');
    const { stdout } = await callMain('status', '--job', file, '--html', page);
    const told = (stage: string) =>
      new RegExp(`${stage} .*the last run was refused, \\d{4}-[-\\dT:]+Z: .*b.parquet.*SHARD_TRUNCATED`);
    const [line, other, last] = stdout.split('\n');
    expect([line, other]).toEqual([
      expect.stringMatching(told('complete')),
      expect.stringMatching(told('late .*new or changed: b.parquet')),
    ]);
    expect(last).not.toContain('last run');
    // Of both days, once.
    expect(stdout.match(/^what to do: write the shard again$/gm)).toHaveLength(1);
    expect(readFileSync(page, 'utf8').match(/the last run was refused/g)).toHaveLength(2);
    for (const file of broken) rmSync(file);
    await publish(refused);
    // As the state machine, which keeps no such record.
    const settings = runSettingsOf(job, { uri: bundle.uri, model: modelIdentity(bundle) });
    put(stale, 'c.parquet');
    const inputs = [{ partition: stale, inputUri: join(document.input, stale) }];
    await executePlan((await makeRunPlan(settings, inputs)).plan, bundle, { workers: 1 });
    const after = await partitionStates(job, RANGE, NOW);
    expect(after.states.map(({ stage, lastFailure }) => [stage, lastFailure])).toEqual(
      [1, 2, 3].map(() => ['published', undefined]),
    );
  });

  it('is told of a root alone too, where nothing is published, until a run has ended well', async () => {
    const { document, put, publish } = freshJob();
    put('dt=2024-03-01', 'a.parquet');
    const broken = join(document.input, 'dt=2024-03-01', 'b.parquet');
    writeFileSync(broken, 'cut');
    await publish('dt=2024-03-01');
    const status = (...more: string[]) => callMain('status', '--scores', document.scores, ...more);
    const { stdout, exitCode } = await status();
    expect(stdout).toMatch(
      /^nothing is published\ndt=2024-03-01 {2}the last run was refused, [^ ]+: .*SHARD_TRUNCATED.*\nwhat to do: write the shard again\n/,
    );
    expect(exitCode).toBe(0);
    const page = join(document.scores, '../failed.html');
    await status('--html', page);
    expect(readFileSync(page, 'utf8')).toMatch(/dt=2024-03-01.*the last run was refused, .*SHARD_TRUNCATED/s);
    const { failures } = JSON.parse((await status('--json')).stdout);
    expect(failures).toMatchObject([{ partition: 'dt=2024-03-01', outcome: 'refused' }]);
    rmSync(broken);
    await publish('dt=2024-03-01');
    expect((await status()).stdout).not.toContain('last run');
  });

  it('is asked of records, and one that is damaged is named', async () => {
    const { document, job, base, put, publish } = freshJob();
    put('dt=2024-03-01', 'a.parquet');
    await publish('dt=2024-03-01');
    const record = join(document.scores, 'run-records', '2999-01-01T00-00-00-000Z-00000000.json');
    writeFileSync(record, '{"cut');
    const { unreadable, states } = await partitionStates(job, RANGE, NOW);
    expect(unreadable).toEqual([expect.stringContaining(`PUBLISH_DOCUMENT_INVALID: ${record}: `)]);
    expect(states).toMatchObject([{ stage: 'published', lastFailure: undefined }]);
    const file = join(base, 'job.json');
    writeFileSync(file, JSON.stringify(document));
    const { stdout, exitCode } = await callMain('status', '--job', file);
    expect(stdout).toContain(record);
    expect(exitCode).toBe(0);
  });
});

describe('a damaged document of one partition', () => {
  const DAYS = ['01', '02', '03'].map((day) => `dt=2024-03-${day}`) as [string, string, string];

  async function publishedDays() {
    const fresh = freshJob();
    for (const day of DAYS) fresh.put(day, 'a.parquet');
    await fresh.publish(...DAYS);
    const file = join(fresh.base, 'job.json');
    writeFileSync(file, JSON.stringify({ ...fresh.document, completeness: { kind: 'none' } }));
    return { ...fresh, file };
  }

  it.each(['damaged', 'gone'])(
    'takes no other from status and page, and when its manifest is %s, plan and run make another one',
    async (how) => {
      const { document, base, file } = await publishedDays();
      const { pointer } = await readPointer(document.scores, DAYS[1]);
      const manifest = below(document.scores, pointer!.current.manifest);
      if (how === 'gone') rmSync(manifest);
      else writeFileSync(manifest, '{"cut');
      const page = join(base, 'status.html');
      const from = how === 'gone' ? ['--job', file] : ['--scores', document.scores];
      const status = await callMain('status', ...from, '--html', page, '--reports');
      expect(status.exitCode).toBe(0);
      for (const day of DAYS) expect(status.stdout).toContain(day);
      if (how === 'gone') expect(status.stdout).toMatch(new RegExp(`${DAYS[1]}  late .*${manifest}`));
      expect(readFileSync(page, 'utf8')).toMatch(new RegExp(`could be read.*does without.*${manifest}`, 's'));
      expect(readFileSync(page, 'utf8').match(/href="reports/g)!.length).toBeGreaterThan(2);
      const plan = join(base, 'plan.json');
      const planned = await callMain('plan', '--job', file, '--partition', DAYS[1], '--output', plan);
      expect(planned.stdout).toContain(manifest);
      // What the remedy of a damaged one asks for.
      rmSync(manifest, { force: true });
      expect((await callMain('run', '--plan', plan)).exitCode).toBe(0);
      expect((await publishedBits(document.scores, DAYS[1])).size).toBe(20);
    },
  );

  it('fails status when its pointer is damaged, which names it and tells of the others', async () => {
    const { document, base, file } = await publishedDays();
    const pointer = below(document.scores, pointerPath(DAYS[1]));
    writeFileSync(pointer, '{"cut');
    const page = join(base, 'status.html');
    for (const from of [
      ['--job', file],
      ['--scores', document.scores],
    ]) {
      const status = await callMain('status', ...from, '--html', page);
      expect(status.exitCode).toBe(1);
      expect(status.stdout).toMatch(
        new RegExp(`${DAYS[1]}  can't be told: PUBLISH_DOCUMENT_INVALID: ${pointer}`),
      );
      for (const day of [DAYS[0], DAYS[2]]) expect(status.stdout).toMatch(new RegExp(`${day} .*20 rows`));
      expect(readFileSync(page, 'utf8')).toContain(pointer);
    }
    const json = JSON.parse((await callMain('status', '--scores', document.scores, '--json')).stdout);
    expect(json.damaged).toEqual([{ partition: DAYS[1], damage: expect.stringContaining(pointer) }]);
  });
});

describe('an output root that was moved', () => {
  it('is read, resolved, published to and rolled back as before: no name in it is absolute', async () => {
    const { document, base, put, publish } = freshJob();
    const day = 'dt=2024-03-01';
    put(day, 'a.parquet');
    await publish(day);
    const before = await publishedBits(document.scores, day);
    put(day, 'b.parquet');
    rmSync(join(document.input, day, 'a.parquet'));
    await publish(day);
    const moved = join(base, 'elsewhere/scores');
    mkdirSync(join(base, 'elsewhere'));
    renameSync(document.scores, moved);
    const copied = join(base, 'copy');
    cpSync(moved, copied, { recursive: true });
    const { stdout } = await callMain('resolve', '--scores', moved, '--partition', day);
    expect(stdout).toMatch(new RegExp(`^${moved}/parts/${day}/[0-9a-f]{64}\\.arrow\n$`));
    await rollBack(copied, day, 'back');
    expect(await publishedBits(copied, day)).toEqual(before);
    expect((await publishedBits(moved, day)).size).toBe(20);
  });
});
