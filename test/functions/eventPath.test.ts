import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { handler as planHandler } from '../../functions/plan.ts';
import type { PlannedRun } from '../../functions/planRun.ts';
import { handler as publishHandler } from '../../functions/publish.ts';
import { handler as scoreHandler } from '../../functions/score.ts';
import { resolvePartition } from '../../lib/publish/resolvePartition.ts';
import type { ScoredUnit } from '../../lib/publish/scoreUnit.ts';
import { RandomStream } from '../../lib/random.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { SqsDouble } from '../support/sqs/sqsDouble.ts';

// The functions in this process: events in, objects out, in any order and more than once.
const s3 = testEndpoint();
const folder = temporaryFolder();
const models: TinyModel[] = [];
let sqs: SqsDouble;
let caseNumber = 0;
/** Of the current case. */
let root: string;

beforeAll(async () => {
  sqs = await SqsDouble.start();
  process.env.AWS_ENDPOINT_URL_SQS = sqs.endpoint;
  models.push(await trainTinyModel(join(folder, 'one')));
  const config = { modelVersion: 'tiny-2', training: { seed: 9 } };
  models.push(await trainTinyModel(join(folder, 'two'), { config }));
  const bucket = s3.double!.buckets.get(s3.bucket)!;
  for (const [index, { bundleUri }] of models.entries()) {
    for (const file of filesBelow(bundleUri)) {
      bucket.put(`models/${index}/${file}`, readFileSync(join(bundleUri, file)), {}, {});
    }
  }
}, 60_000);
afterAll(() => sqs.stop());

beforeEach(() => {
  root = `case-${caseNumber++}`;
  sqs.queues.clear();
  Object.assign(process.env, {
    INPUT_URI: `s3://${s3.bucket}/${root}/features`,
    SCORES_URI: `s3://${s3.bucket}/${root}/scores`,
    MODEL_URI: `s3://${s3.bucket}/models/0`,
    TARGET_ROWS: '100',
    UNITS_QUEUE_URL: sqs.queueUrl('units'),
    PUBLISH_QUEUE_URL: sqs.queueUrl('publish'),
  });
});

const EVENTS = 'events';
const time = (millis: number) => ({ getRemainingTimeInMillis: () => millis });
let sequence = 0;

/** A shard lands: the object, and its event `copies` times. */
function land(partition: string, name: string, rows: readonly FunnelRow[], copies = 1): void {
  const key = `${root}/features/${partition}/${name}`;
  s3.double!.buckets.get(s3.bucket)!.put(key, Buffer.from(funnelShard(rows, 60)), {}, {});
  const object = { key: encodeURIComponent(key), sequencer: (++sequence).toString(16).padStart(8, '0') };
  const body = JSON.stringify({ Records: [{ s3: { bucket: { name: s3.bucket }, object } }] });
  for (let i = 0; i < copies; i++) sqs.put(sqs.queueUrl(EVENTS), body);
}

interface Stage {
  readonly queue: string;
  readonly run: (event: SQSEvent) => Promise<unknown>;
}
const stages = (millis: () => number): Stage[] => [
  { queue: EVENTS, run: (event) => planHandler(event) },
  { queue: 'units', run: (event) => scoreHandler(event, time(millis())) },
  { queue: 'publish', run: (event) => publishHandler(event) },
];

/** Delivers messages in random order and batches, some of them twice, until nothing is left. */
async function deliverAll(seed: number, millis: () => number = () => 600_000): Promise<number> {
  const random = new RandomStream(seed);
  let deliveries = 0;
  for (;;) {
    const open = stages(millis).filter(({ queue }) => (sqs.queues.get(sqs.queueUrl(queue)) ?? []).length > 0);
    if (open.length === 0) return deliveries;
    const stage = open[random.nextBelow(open.length)]!;
    const url = sqs.queueUrl(stage.queue);
    const event = sqs.take(url, 1 + random.nextBelow(3), (length) => random.nextBelow(length));
    const { batchItemFailures } = (await stage.run(event)) as SQSBatchResponse;
    const again = event.Records.filter(
      ({ messageId }) =>
        batchItemFailures.some(({ itemIdentifier }) => itemIdentifier === messageId) ||
        random.nextUniform() < 0.2,
    );
    sqs.queues.get(url)!.push(...again);
    if (++deliveries > 500) throw new Error('the queues never empty');
  }
}

const published = (partition: string) => publishedBits(process.env.SCORES_URI!, partition);

/** Bits that `score` gives on local files. */
async function expectPublished(partition: string, model: number, ...shards: (readonly FunnelRow[])[]) {
  const input = join(folder, `expected-${caseNumber}-${sequence}-${model}-${partition}`);
  mkdirSync(input, { recursive: true });
  for (const [i, rows] of shards.entries()) {
    writeFileSync(join(input, `${i}.parquet`), funnelShard(rows, 60));
  }
  await scoreInput(input, `${input}-scores`, models[model]!.bundle, { workers: 1 });
  const files = filesBelow(`${input}-scores`).map((file) => join(`${input}-scores`, file));
  const expected = new Map(files.flatMap((file) => [...scoreBits(file)]));
  const found = await published(partition);
  expect(found.size).toBe(expected.size);
  const sorted = (bits: Map<bigint, string>) => [...bits].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(isDeepStrictEqual(sorted(found), sorted(expected)), 'the same bits as on local files').toBe(true);
}
async function readJson({ bucket, key }: { bucket: string; key: string }) {
  const uri = `s3://${bucket}/${key}`;
  return JSON.parse(Buffer.from(await storageFor(uri).readWhole(uri)).toString());
}
const rowsOf = (day: number, count: number) => funnelRows(`2024-03-${day}`, count);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('shards that land', () => {
  it.each([1, 2, 3])(
    'out of order and twice end published, each partition with exactly its rows (delivery %i)',
    async (seed) => {
      land('dt=2024-03-12', 'a.parquet', rowsOf(12, 250), 2);
      land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130), 2);
      land('dt=2024-03-11', 'b.parquet', rowsOf(13, 90), 2);
      await deliverAll(seed);
      await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130), rowsOf(13, 90));
      await expectPublished('dt=2024-03-12', 0, rowsOf(12, 250));
      land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200), 2);
      await deliverAll(seed + 10);
      await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200), rowsOf(13, 90));
    },
    60_000,
  );

  it('an old event that comes late changes nothing', async () => {
    land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    const late = sqs.take(sqs.queueUrl(EVENTS), 1);
    land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200));
    await deliverAll(5);
    await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200));
    const before = await resolvePartition(process.env.SCORES_URI!, 'dt=2024-03-11');
    sqs.queues.get(sqs.queueUrl(EVENTS))!.push(...late.Records);
    await deliverAll(6);
    expect(await resolvePartition(process.env.SCORES_URI!, 'dt=2024-03-11')).toEqual(before);
  });

  it('a unit whose shard was replaced after it was planned is dropped, one that fails is named, the others go on', async () => {
    land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    land('dt=2024-03-12', 'a.parquet', rowsOf(12, 90));
    expect(await planHandler(sqs.take(sqs.queueUrl(EVENTS), 10))).toEqual({ batchItemFailures: [] });
    land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200));
    const units = sqs.take(sqs.queueUrl('units'), 10);
    const broken = { ...units.Records[0]!, messageId: 'broken', body: '{"formatVersion":1}' };
    const batch = { Records: [broken, ...units.Records] };
    expect(units.Records.some(({ body }) => body.includes('dt=2024-03-11'))).toBe(true);
    expect(await scoreHandler(batch, time(600_000))).toEqual({
      batchItemFailures: [{ itemIdentifier: 'broken' }],
    });
    const parts = s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores/parts/`, '');
    expect(parts.filter((key) => key.includes('dt=2024-03-11'))).toEqual([]);
    expect(parts.filter((key) => key.includes('dt=2024-03-12'))).toHaveLength(1);
    await deliverAll(7);
    await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200));
    await expectPublished('dt=2024-03-12', 0, rowsOf(12, 90));
  });

  it('a worker that runs out of time hands the rest on, and a unit is not begun without time', async () => {
    process.env.TARGET_ROWS = '1000';
    for (const [i, day] of [11, 12, 13].entries()) land('dt=2024-03-11', `${i}.parquet`, rowsOf(day, 120));
    await planHandler(sqs.take(sqs.queueUrl(EVENTS), 10));
    const batch = sqs.take(sqs.queueUrl('units'), 10);
    expect(batch.Records).toHaveLength(1);
    const failures = [{ itemIdentifier: batch.Records[0]!.messageId }];
    expect(await scoreHandler(batch, time(1_000))).toEqual({ batchItemFailures: failures });
    let asked = 0;
    // Time to begin the unit, and none for its second span.
    const context = { getRemainingTimeInMillis: () => (asked++ === 0 ? 40_000 : 5_000) };
    expect(await scoreHandler(batch, context)).toEqual({ batchItemFailures: [] });
    const rest = sqs.queues.get(sqs.queueUrl('units'))!;
    expect(JSON.parse(rest[0]!.body).specs).toHaveLength(2);
    expect(sqs.queues.get(sqs.queueUrl('publish'))).toBeUndefined();
    await deliverAll(8);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 120), rowsOf(12, 120), rowsOf(13, 120));
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run of the state machine', () => {
  /** Plan, every unit until nothing is left of it, every publication: the machine's steps. */
  async function runMachine(request: object) {
    const planned = (await planHandler(request)) as PlannedRun;
    const units = await readJson(planned.units);
    for (let unit of units) {
      while (unit !== undefined) unit = ((await scoreHandler(unit, time(600_000))) as ScoredUnit).rest;
    }
    const outcomes = [];
    for (const each of await readJson(planned.publish)) outcomes.push(await publishHandler(each));
    return { planned, outcomes };
  }

  it('scores the newest partition at night, backfills another model, and rescores nothing that is done', async () => {
    land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    land('dt=2024-03-12', 'a.parquet', rowsOf(12, 250));
    const nightly = await runMachine({ partitions: { kind: 'newest' } });
    expect(nightly.outcomes).toMatchObject([{ kind: 'published', pointer: { partition: 'dt=2024-03-12' } }]);
    await expectPublished('dt=2024-03-12', 0, rowsOf(12, 250));
    const again = await runMachine({ partitions: { kind: 'newest' } });
    expect(again.planned.unitCount).toBe(0);
    expect(again.outcomes).toMatchObject([{ kind: 'unchanged' }]);
    const dates = { kind: 'dates', from: '2024-03-11', to: '2024-03-12' };
    const modelUri = `s3://${s3.bucket}/models/1`;
    const backfill = await runMachine({ partitions: dates, modelUri });
    expect(backfill.outcomes).toMatchObject([{ kind: 'published' }, { kind: 'published' }]);
    await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
    await expectPublished('dt=2024-03-12', 1, rowsOf(12, 250));
  }, 30_000);

  it('fails when the input changes under it, and leaves what was visible', async () => {
    land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await runMachine({ partitions: { kind: 'newest' } });
    const planned = (await planHandler({ partitions: { kind: 'newest' } })) as PlannedRun;
    land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90));
    const [request] = await readJson(planned.publish);
    await expect(publishHandler(request)).rejects.toThrow(/parts are missing/);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130));
  });

  it('refuses a request and a unit that it does not know', async () => {
    await expect(planHandler({ partitions: { kind: 'all' } })).rejects.toThrow();
    await expect(scoreHandler({ specs: [] }, time(600_000))).rejects.toThrow();
  });

  it('forgets a model that could not be loaded, and takes it when it is there', async () => {
    land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await planHandler(sqs.take(sqs.queueUrl(EVENTS), 1));
    const [record] = sqs.take(sqs.queueUrl('units'), 1).Records;
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
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    for (const key of bucket.keys('models/1/', '')) {
      bucket.put(key.replace('/1/', '/later/'), bucket.get(key).bytes, {}, {});
    }
    expect(await scoreHandler(other, time(600_000))).toMatchObject({ partsScored: 1, rowsScored: 120 });
    await expect(
      scoreHandler({ ...moved, model: { ...unit.model, contractFingerprint: 'x' } }, time(600_000)),
    ).rejects.toThrow(/isn't the model that was planned with/);
  });
});
