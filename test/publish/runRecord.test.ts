import { rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { UnreadableFiles } from '../../lib/base/unreadableFiles.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { recentFailures } from '../../lib/publish/lastFailure.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { RunRecorder, RunRecords, writeRunRecord } from '../../lib/publish/runRecord.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { first, freshPlace, PARTITION, put, settingsOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();

let bundle: ModelBundle;
beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'recorded')));
}, 120_000);

async function recordedRun(isBroken: boolean) {
  const place = freshPlace(folder);
  await put(place, 'part-0.parquet', first);
  await put(place, 'part-1.parquet', first.slice(0, 50));
  const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
  const { plan } = await makeRunPlan(settingsOf(place, bundle), inputs);
  if (isBroken) await storageFor(place.inputUri).remove(join(place.inputUri, 'part-1.parquet'));
  const recorder = new RunRecorder();
  await executePlan(plan, bundle, { workers: 2, recorder });
  return { place, plan, record: recorder.record(plan, 2, null) };
}

describe('the record of a run', () => {
  it('has every part with its rows and its time within that of the partition, and how the partition ended', async () => {
    const { plan, record } = await recordedRun(false);
    const [partition] = record.partitions;
    const [planned] = plan.partitions;
    expect(partition).toMatchObject({
      ...{ partition: PARTITION, outcome: 'published', problems: [], rows: 450, rowsDone: 0, partsDone: 0 },
      ...{ parts: planned!.parts.length, sizeBytes: planned!.sizeBytes },
    });
    const names = (parts: readonly { readonly partId: string }[]) => parts.map(({ partId }) => partId).sort();
    expect(names(partition!.steps)).toEqual(names(planned!.parts));
    expect(partition!.steps.reduce((sum, { rows }) => sum + rows, 0)).toBe(450);
    for (const { startSeconds, seconds, state, problem } of partition!.steps) {
      expect([state, problem]).toEqual(['scored', null]);
      expect(startSeconds).toBeGreaterThanOrEqual(partition!.startSeconds);
      expect(startSeconds + seconds).toBeLessThanOrEqual(partition!.startSeconds + partition!.seconds);
    }
    expect(record.seconds).toBeGreaterThanOrEqual(partition!.seconds);
  });

  it('names what was dropped with its reason, and the parts that were scored in its place', async () => {
    const { record } = await recordedRun(true);
    const { steps, outcome } = record.partitions[0]!;
    expect(outcome).toBe('published');
    const dropped = steps.filter(({ state }) => state === 'dropped');
    expect(dropped.length).toBeGreaterThan(0);
    for (const { problem } of dropped) expect(problem).toContain('part-1.parquet');
  });

  it('is found by partition, the last run first, and is valid as it was written', async () => {
    const { place, record } = await recordedRun(false);
    const later = { ...record, startedAt: '2099-01-01T00:00:00.000Z' };
    const other = { ...later, startedAt: '2099-01-02T00:00:00.000Z', partitions: [] };
    for (const each of [later, record, other]) await writeRunRecord(place.root, each);
    const records = new RunRecords(place.root);
    expect(await records.of(PARTITION, 1)).toEqual([later]);
    expect(await records.of(PARTITION, 5)).toEqual([later, record]);
    expect(await records.of('dt=1999-01-01', 5)).toEqual([]);
    expect(await new RunRecords(join(place.root, 'none')).of(PARTITION, 5)).toEqual([]);
  });

  it('of a failure is told of however many runs of other partitions have followed in a day of arrivals', async () => {
    const { place, record } = await recordedRun(false);
    const [ended] = record.partitions;
    const recordOf = (minute: number, partition: string, outcome: string) => ({
      ...record,
      startedAt: new Date(Date.UTC(2099, 0, 1, 0, minute)).toISOString(),
      partitions: [{ ...ended!, partition, outcome, problems: [outcome] }],
    });
    await writeRunRecord(place.root, recordOf(0, 'dt=2024-03-01', 'failed'));
    for (let minute = 1; minute < 200; minute++) {
      await writeRunRecord(place.root, recordOf(minute, `dt=2024-02-${10 + (minute % 9)}`, 'published'));
    }
    const unreadable = new UnreadableFiles();
    expect(await recentFailures(place.root, unreadable)).toMatchObject([
      { partition: 'dt=2024-03-01', outcome: 'failed' },
    ]);
  });

  it('of a failure is told of when another run of the partition began later and had ended well before', async () => {
    const { place, record } = await recordedRun(false);
    const [ended] = record.partitions;
    const recordOf = (startedAt: string, outcome: string, seconds: number) => ({
      ...record,
      ...{ startedAt, seconds },
      partitions: [{ ...ended!, startSeconds: 0, seconds, outcome, problems: [outcome] }],
    });
    const failures = () => recentFailures(place.root, new UnreadableFiles());
    await writeRunRecord(place.root, recordOf('2099-01-01T01:00:00.000Z', 'failed', 7_200));
    for (let minute = 10; minute < 40; minute++) {
      await writeRunRecord(place.root, recordOf(`2099-01-01T01:${minute}:00.000Z`, 'unchanged', 60));
    }
    const last = { partition: PARTITION, outcome: 'failed', endedAt: '2099-01-01T03:00:00.000Z' };
    expect(await failures()).toEqual([{ ...last, problems: ['failed'] }]);
    await writeRunRecord(place.root, recordOf('2099-01-01T02:59:00.000Z', 'unchanged', 90));
    expect(await failures()).toEqual([]);
  });

  it('of a failure is told of when the run took days, however many others began and ended meanwhile', async () => {
    const { place, record } = await recordedRun(false);
    const [ended] = record.partitions;
    const recordOf = (startedAt: number, outcome: string, seconds: number) => ({
      ...record,
      ...{ startedAt: new Date(startedAt).toISOString(), seconds },
      partitions: [{ ...ended!, startSeconds: 0, seconds, outcome, problems: [outcome] }],
    });
    const start = Date.UTC(2099, 0, 1);
    const write = async (startedAt: number, outcome: string, seconds: number) => {
      const uri = await writeRunRecord(place.root, recordOf(startedAt, outcome, seconds));
      const written = startedAt / 1000 + seconds;
      utimesSync(uri, written, written);
    };
    for (let minute = 0; minute < 420 * 8; minute += 8) await write(start + minute * 60_000, 'unchanged', 60);
    const seconds = 60 * 60 * 60;
    await write(start - 1000, 'failed', seconds);
    const endedAt = new Date(start - 1000 + 1000 * seconds).toISOString();
    expect(await recentFailures(place.root, new UnreadableFiles())).toMatchObject([
      { partition: PARTITION, outcome: 'failed', endedAt },
    ]);
  });

  it('is read once for all partitions that ask', async () => {
    const { place, record } = await recordedRun(false);
    await writeRunRecord(place.root, record);
    const records = new RunRecords(place.root);
    const [once, again] = await Promise.all([records.of(PARTITION, 5), records.of(PARTITION, 5)]);
    expect(once).toEqual([record]);
    rmSync(join(place.root, 'run-records'), { recursive: true });
    expect(again[0]).toBe(once[0]);
    expect((await records.of(PARTITION, 5))[0]).toBe(once[0]);
  });
});
