import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { handler as planHandler } from '../../functions/plan.ts';
import type { PlannedRun } from '../../functions/planRun.ts';
import { handler as publishHandler } from '../../functions/publish.ts';
import { handler as scoreHandler } from '../../functions/score.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import type { WorkUnit } from '../../lib/publish/runPlan.ts';
import type { ScoredUnit } from '../../lib/publish/scoreUnit.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import type { S3Location } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { EventPath, time } from '../support/functions/eventPath.ts';
import { changeJob, currentJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { readS3Json } from '../support/s3/readS3Json.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

// The functions in this process: events in, objects out, in any order and more than once.
const s3 = testEndpoint();
const folder = temporaryFolder();
const models: TinyModel[] = [];
let path: EventPath;
let caseNumber = 0;
const modelUri = (index: number) => `s3://${s3.bucket}/models/${index}`;

beforeAll(async () => {
  if (s3.double === undefined) return;
  path = await EventPath.start(s3);
  models.push(await trainTinyModel(join(folder, 'one')));
  const config = { modelVersion: 'tiny-2', training: { seed: 9 } };
  models.push(await trainTinyModel(join(folder, 'two'), { config }));
  for (const [index, { bundleUri }] of models.entries()) await putFolder(bundleUri, modelUri(index));
}, 60_000);
afterAll(() => path?.stop());

beforeEach(() => {
  path?.begin(`case-${caseNumber++}`, modelUri(0), 100);
});

/** A shard lands in a partition, and S3 tells of it `copies` times. */
const land = (partition: string, name: string, rows: readonly FunnelRow[], copies = 1) =>
  path.land(`${partition}/${name}`, funnelShard(rows, 60), copies);
let expectedCount = 0;

const published = (partition: string) => publishedBits(currentJob().scores, partition);

/** Bits that `score` gives on local files. */
async function expectPublished(partition: string, model: number, ...shards: (readonly FunnelRow[])[]) {
  const input = join(folder, `expected-${expectedCount++}`);
  mkdirSync(input, { recursive: true });
  for (const [i, rows] of shards.entries()) {
    writeFileSync(join(input, `${i}.parquet`), funnelShard(rows, 60));
  }
  await scoreInput(input, `${input}-scores`, models[model]!.bundle, { workers: 1 });
  const files = filesBelow(`${input}-scores`).map((file) => join(`${input}-scores`, file));
  const expected = new Map(files.flatMap((file) => [...scoreBits(file)]));
  const found = await published(partition);
  expect(found.size).toBe(expected.size);
  expect(isDeepStrictEqual(found, expected), 'the same bits as on local files').toBe(true);
}
const readJson = ({ bucket, key }: S3Location) => readS3Json(bucket, key);
const rowsOf = (day: number, count: number) => funnelRows(`2024-03-${day}`, count);

/** Plan, every unit until nothing is left of it, every publication: the machine's steps. */
async function runMachine(request: object) {
  const planned = (await planHandler(request)) as PlannedRun;
  const units = (await readJson(planned.units)) as WorkUnit[];
  for (let unit of units as (WorkUnit | undefined)[]) {
    while (unit !== undefined) unit = ((await scoreHandler(unit, time(600_000))) as ScoredUnit).rest;
  }
  const outcomes = [];
  for (const each of await readJson(planned.publish)) outcomes.push(await publishHandler(each));
  return { planned, outcomes };
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)("a job's layout", () => {
  it('decides what the nightly run takes: every hour of the newest day that has its markers', async () => {
    changeJob({ partitions: 'dt=/hour=', completeness: { kind: 'marker' } });
    const put = async (partition: string, isComplete: boolean) => {
      await land(partition, 'a.parquet', rowsOf(11, 30));
      if (isComplete) await writeWhole(`${currentJob().input}/${partition}/_SUCCESS`, new Uint8Array());
    };
    await put('dt=2024-03-11/hour=9', true);
    await put('dt=2024-03-11/hour=10', true);
    await put('dt=2024-03-12/hour=1', true);
    await put('dt=2024-03-12/hour=2', false);
    await put('dt=test/hour=1', true);
    const { outcomes } = await runMachine({ partitions: { kind: 'newest' } });
    expect(outcomes).toHaveLength(2);
    for (const hour of ['hour=9', 'hour=10']) {
      await expectPublished(`dt=2024-03-11/${hour}`, 0, rowsOf(11, 30));
    }
  });

  it('decides which partition an event is for; a shard in none of them is planned nowhere', async () => {
    changeJob({ partitions: 'dt=/hour=' });
    await land('dt=2024-03-11/hour=9', 'a.parquet', rowsOf(11, 30));
    await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 30));
    await path.deliverAll(1);
    await expectPublished('dt=2024-03-11/hour=9', 0, rowsOf(11, 30));
    await expect(resolvePartition(currentJob().scores, 'dt=2024-03-11')).rejects.toMatchObject({
      code: 'PUBLISH_NOTHING',
    });
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('shards that land', () => {
  it.each([1, 2, 3])(
    'out of order and twice end published, each partition with exactly its rows (delivery %i)',
    async (seed) => {
      await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 250), 2);
      await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130), 2);
      await land('dt=2024-03-11', 'b.parquet', rowsOf(13, 90), 2);
      await path.deliverAll(seed);
      await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130), rowsOf(13, 90));
      await expectPublished('dt=2024-03-12', 0, rowsOf(12, 250));
      await land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200), 2);
      await path.deliverAll(seed + 10);
      await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200), rowsOf(13, 90));
    },
    60_000,
  );

  it('an old event that comes late changes nothing', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    const late = path.take('events', 1);
    await land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200));
    await path.deliverAll(5);
    await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200));
    const before = await resolvePartition(currentJob().scores, 'dt=2024-03-11');
    path.waiting('events').push(...late.Records);
    await path.deliverAll(6);
    expect(await resolvePartition(currentJob().scores, 'dt=2024-03-11')).toEqual(before);
  });

  it('a message that is no notification is named, and takes no other one with it', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    const { Records } = path.take('events', 1);
    const strange = ['no JSON', '{"Records":[{"s3":{}}]}'].map((body, i) => ({
      ...Records[0]!,
      messageId: `strange-${i}`,
      body,
    }));
    expect(await planHandler({ Records: [strange[0], ...Records, strange[1]] })).toEqual({
      batchItemFailures: [{ itemIdentifier: 'strange-0' }, { itemIdentifier: 'strange-1' }],
    });
    await path.deliverAll(4);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130));
  });

  it('a unit whose shard was replaced after it was planned is dropped, one that fails is named, the others go on', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 90));
    expect(await planHandler(path.take('events', 10))).toEqual({ batchItemFailures: [] });
    await land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200));
    const units = path.take('units', 10);
    const broken = { ...units.Records[0]!, messageId: 'broken', body: '{"formatVersion":1}' };
    const batch = { Records: [broken, ...units.Records] };
    expect(units.Records.some(({ body }) => body.includes('dt=2024-03-11'))).toBe(true);
    expect(await scoreHandler(batch, time(600_000))).toEqual({
      batchItemFailures: [{ itemIdentifier: 'broken' }],
    });
    const parts = s3.double!.buckets.get(s3.bucket)!.keys(`case-${caseNumber - 1}/scores/parts/`, '');
    expect(parts.filter((key) => key.includes('dt=2024-03-11'))).toEqual([]);
    expect(parts.filter((key) => key.includes('dt=2024-03-12'))).toHaveLength(1);
    await path.deliverAll(7);
    await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200));
    await expectPublished('dt=2024-03-12', 0, rowsOf(12, 90));
  });

  it('a worker that runs out of time hands the rest on, and a unit is not begun without time', async () => {
    changeJob({ targetRows: 1000 });
    for (const [i, day] of [11, 12, 13].entries())
      await land('dt=2024-03-11', `${i}.parquet`, rowsOf(day, 120));
    await planHandler(path.take('events', 10));
    const batch = path.take('units', 10);
    expect(batch.Records).toHaveLength(1);
    const failures = [{ itemIdentifier: batch.Records[0]!.messageId }];
    expect(await scoreHandler(batch, time(1_000))).toEqual({ batchItemFailures: failures });
    let asked = 0;
    // Time to begin the unit, and none for its second span.
    const context = { getRemainingTimeInMillis: () => (asked++ === 0 ? 40_000 : 5_000) };
    expect(await scoreHandler(batch, context)).toEqual({ batchItemFailures: [] });
    const rest = path.waiting('units');
    expect(JSON.parse(rest[0]!.body).spans).toHaveLength(2);
    expect(path.waiting('publish')).toEqual([]);
    await path.deliverAll(8);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 120), rowsOf(12, 120), rowsOf(13, 120));
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  'a shard that lands after a backfill',
  { timeout: 180_000 },
  () => {
    const both = { kind: 'dates', from: '2024-03-11', to: '2024-03-12' };
    const backfill = () => runMachine({ partitions: both, modelUri: modelUri(1) });

    it("is scored with the model that its partition shows; a new partition gets the stage's", async () => {
      await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
      await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 90));
      await path.deliverAll(1);
      await backfill();
      await land('dt=2024-03-12', 'b.parquet', rowsOf(13, 90), 2);
      await land('dt=2024-03-14', 'a.parquet', rowsOf(14, 70), 2);
      await path.deliverAll(2);
      await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
      await expectPublished('dt=2024-03-12', 1, rowsOf(12, 90), rowsOf(13, 90));
      await expectPublished('dt=2024-03-14', 0, rowsOf(14, 70));
    });

    it('is planned again when its event had been planned before, so that neither it nor the model is lost', async () => {
      await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
      await path.deliverAll(3);
      const planned = (await planHandler({ partitions: both, modelUri: modelUri(1) })) as PlannedRun;
      for (const unit of await readJson(planned.units)) await scoreHandler(unit, time(600_000));
      // Lands, and is planned with the former model, in the moment between the run's last listing and its flip.
      await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90));
      expect(await planHandler(path.take('events', 1))).toEqual({ batchItemFailures: [] });
      const shard = s3.double!.buckets.get(s3.bucket)!;
      const [key] = shard.keys(`case-${caseNumber - 1}/features/dt=2024-03-11/b`, '');
      const { bytes } = shard.get(key!);
      shard.objects.delete(key!);
      for (const request of await readJson(planned.publish)) await publishHandler(request);
      await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
      shard.put(key!, bytes, {}, {});
      await path.deliverAll(4);
      await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130), rowsOf(12, 90));
    });

    it("comes back, and it alone, when the bundle isn't the published model any more", async () => {
      await putFolder(models[1]!.bundleUri, `s3://${s3.bucket}/models/overwritten`);
      await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
      await runMachine({ partitions: { kind: 'newest' }, modelUri: `s3://${s3.bucket}/models/overwritten` });
      path.waiting('events').length = 0;
      await putFolder(models[0]!.bundleUri, `s3://${s3.bucket}/models/overwritten`);
      await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90));
      await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 90));
      const batch = path.take('events', 2);
      const failures = [{ itemIdentifier: batch.Records[0]!.messageId }];
      expect(await planHandler(batch)).toEqual({ batchItemFailures: failures });
      await path.deliverAll(5);
      await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
      await expectPublished('dt=2024-03-12', 0, rowsOf(12, 90));
    });
  },
);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run of the state machine', () => {
  it('scores the newest partition at night, backfills another model, and rescores nothing that is done', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 250));
    const nightly = await runMachine({ partitions: { kind: 'newest' } });
    expect(nightly.outcomes).toMatchObject([{ kind: 'published', pointer: { partition: 'dt=2024-03-12' } }]);
    await expectPublished('dt=2024-03-12', 0, rowsOf(12, 250));
    const again = await runMachine({ partitions: { kind: 'newest' } });
    expect(again.planned.unitCount).toBe(0);
    expect(again.outcomes).toMatchObject([{ kind: 'unchanged' }]);
    const dates = { kind: 'dates', from: '2024-03-11', to: '2024-03-12' };
    const backfill = await runMachine({ partitions: dates, modelUri: modelUri(1) });
    expect(backfill.outcomes).toMatchObject([{ kind: 'published' }, { kind: 'published' }]);
    await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
    await expectPublished('dt=2024-03-12', 1, rowsOf(12, 250));
  }, 180_000);

  it('fails when the input changes under it, and leaves what was visible', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await runMachine({ partitions: { kind: 'newest' } });
    const planned = (await planHandler({ partitions: { kind: 'newest' } })) as PlannedRun;
    await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90));
    const [request] = await readJson(planned.publish);
    await expect(publishHandler(request)).rejects.toThrow(
      /PUBLISH_INCOMPLETE: .*parts of dt=2024-03-11 are missing/,
    );
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130));
  });

  it('refuses a request and a unit that it does not know', async () => {
    const unknown = { code: 'EVENT_INVALID' };
    await expect(planHandler({ partitions: { kind: 'all' } })).rejects.toMatchObject(unknown);
    await expect(planHandler(null)).rejects.toMatchObject(unknown);
    await expect(scoreHandler({ spans: [] }, time(600_000))).rejects.toMatchObject(unknown);
  });

  it('forgets a model that could not be loaded, and takes it when it is there', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await planHandler(path.take('events', 1));
    const [record] = path.take('units', 1).Records;
    const unit = JSON.parse(record!.body);
    const moved = {
      ...unit,
      modelUri: `s3://${s3.bucket}/models/later`,
      model: { ...unit.model, version: 'x' },
    };
    const other = {
      ...moved,
      model: { ...unit.model, sha256: models[1]!.bundle.manifest.files['model.onnx'].sha256 },
    };
    await expect(scoreHandler(other, time(600_000))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await putFolder(models[1]!.bundleUri, `s3://${s3.bucket}/models/later`);
    expect(await scoreHandler(other, time(600_000))).toMatchObject({ partsScored: 1, rowsScored: 120 });
    await expect(
      scoreHandler({ ...moved, model: { ...unit.model, contractFingerprint: 'x' } }, time(600_000)),
    ).rejects.toThrow(/isn't the model that was planned with/);
  });
});
