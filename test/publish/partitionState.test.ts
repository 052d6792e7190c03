import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { runSettingsOf } from '../../lib/publish/partitionRun.ts';
import { partitionStates } from '../../lib/publish/partitionState.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
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
    await executePlan(plan, bundle, { workers: 1 });
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
      [days[4], 'landing', `${days[4]}: no _SUCCESS`],
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
      'dt=2024-03-06  landing  dt=2024-03-06: no _SUCCESS',
      '2024-03-05  no partition',
      expect.stringMatching(/^dt=test {2}passed over: /),
      '',
    ]);
    const planned = await callMain('plan', '--job', file, '--from', '2024-03-02', '--to', '2024-03-06');
    expect([...planned.stdout.matchAll(/(?:parts?|contract); (\w+)/g)].map(([, stage]) => stage)).toEqual([
      'late',
      'held',
      'complete',
      'landing',
    ]);
    const outside = await callMain('status', '--job', file, '--from', '2025-01-01');
    expect(outside.stdout).toContain('the input has no partition');
  });

  it('asks for a job or a root', async () => {
    expect(await callMain('status')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--scores or --job'),
    });
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
