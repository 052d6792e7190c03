import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { handler as planHandler } from '../../functions/plan.ts';
import { handler as scoreHandler } from '../../functions/score.ts';
import { publicationStatus, resolvePartition } from '../../lib/publish/publishedState.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { EventPath } from '../support/functions/eventPath.ts';
import { changeJob, currentJob } from '../support/functions/jobVariable.ts';
import { planWhole } from '../support/functions/planWhole.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { runStateMachine } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';

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
const rowsOf = (day: number, count: number) => funnelRows(`2024-03-${day}`, count);

/** A context with this much time left. */
const time = (millis: number) => ({ getRemainingTimeInMillis: () => millis });
let runNumber = 0;

/** A run of the state machine that no arrival has started. */
const runMachine = (request: object) =>
  runStateMachine(scoringRun, request, path.services, {
    name: `run-${runNumber++}`,
    stateMachineArn: path.sfn.stateMachineArn,
  });

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
    await runMachine({ partitions: { kind: 'newest' } });
    expect((await publicationStatus(currentJob().scores)).map(({ partition }) => partition)).toEqual([
      'dt=2024-03-11/hour=10',
      'dt=2024-03-11/hour=9',
    ]);
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
    const late = path.queue.take(1);
    await land('dt=2024-03-11', 'a.parquet', rowsOf(14, 200));
    await path.deliverAll(5);
    await expectPublished('dt=2024-03-11', 0, rowsOf(14, 200));
    const before = await resolvePartition(currentJob().scores, 'dt=2024-03-11');
    path.queue.messages.push(...late.Records);
    await path.deliverAll(6);
    expect(await resolvePartition(currentJob().scores, 'dt=2024-03-11')).toEqual(before);
  });

  it('a message that is no notification is named, and takes no other one with it', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    const { Records } = path.queue.take(1);
    const strange = ['no JSON', '{"Records":[{"s3":{}}]}'].map((body, i) => ({
      ...Records[0]!,
      messageId: `strange-${i}`,
      body,
    }));
    const failed = await path.deliver({ Records: [strange[0]!, ...Records, strange[1]!] });
    expect(failed).toEqual(['strange-0', 'strange-1']);
    path.queue.messages.length = 0;
    await path.deliverAll(4);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130));
  });

  it('in a burst are published by at most two runs, and those that land while one waits by that one', async () => {
    let burst = async () => {};
    path.services.wait = async () => {
      const first = burst;
      burst = async () => {};
      await first();
    };
    burst = async () => {
      for (let i = 1; i < 20; i++) await land('dt=2024-03-11', `${i}.parquet`, rowsOf(12 + (i % 15), 5));
      await path.deliver(path.queue.take(100));
    };
    await land('dt=2024-03-11', '0.parquet', rowsOf(11, 5));
    await path.deliverAll(1);
    expect(path.runs().map(({ status }) => status)).toEqual(['SUCCEEDED']);
    expect((await publicationStatus(currentJob().scores))[0]!.current.rows).toBe(100);
  });

  it('while a run scores are published by the run behind it, one at a time', async () => {
    const { score } = path.services.functions;
    let scored = 0;
    path.services.functions = {
      ...path.services.functions,
      score: async (unit) => {
        if (scored++ === 0) {
          await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90), 3);
          await path.deliver(path.queue.take(3));
          expect(path.runs()).toHaveLength(1);
        }
        return score!(unit);
      },
    };
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await path.deliverAll(2);
    expect(path.runs().map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130), rowsOf(12, 90));
  });

  it('are published by the next run when one dies, which the queue is told of', async () => {
    const { plan } = path.services.functions;
    let calls = 0;
    path.services.functions = {
      ...path.services.functions,
      plan: async (step) => {
        if (calls++ > 0) return plan!(step);
        await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90));
        await path.deliver(path.queue.take(1));
        throw new Error('no right to anything');
      },
    };
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await path.deliverAll(3);
    expect(path.runs().map(({ status }) => status)).toEqual(['FAILED', 'SUCCEEDED']);
    await expectPublished('dt=2024-03-11', 0, rowsOf(11, 130), rowsOf(12, 90));
  });

  it('are scored to the end by workers that run out of time', async () => {
    changeJob({ targetRows: 1000 });
    let calls = 0;
    path.services.functions = {
      ...path.services.functions,
      score: (unit) => {
        calls++;
        return scoreHandler(unit, time(5_000));
      },
    };
    // A part ends after each of these names, and three small parts are one unit.
    for (const [day, name] of [
      [11, '18'],
      [12, '19'],
      [13, '38'],
    ] as const)
      await land('dt=2024-03-11', `${name}.parquet`, rowsOf(day, 120));
    await path.deliverAll(8);
    expect(calls).toBe(3);
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

    it("fails its run, and no other one, when the bundle isn't the published model any more", async () => {
      await putFolder(models[1]!.bundleUri, `s3://${s3.bucket}/models/overwritten`);
      await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
      await runMachine({ partitions: { kind: 'newest' }, modelUri: `s3://${s3.bucket}/models/overwritten` });
      path.queue.messages.length = 0;
      await putFolder(models[0]!.bundleUri, `s3://${s3.bucket}/models/overwritten`);
      await land('dt=2024-03-11', 'b.parquet', rowsOf(12, 90));
      await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 90));
      await path.deliverAll(5);
      const ends = path
        .runs()
        .map(({ status, cause, input }) => [JSON.parse(input).arrival.partition, status, cause]);
      expect(ends.sort()).toEqual([
        ['dt=2024-03-11', 'FAILED', expect.stringContaining('PLAN_OTHER_MODEL')],
        ['dt=2024-03-12', 'SUCCEEDED', undefined],
      ]);
      await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
      await expectPublished('dt=2024-03-12', 0, rowsOf(12, 90));
    });
  },
);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run of the state machine', () => {
  it('scores the newest partition at night, backfills another model, and rescores nothing that is done', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    await land('dt=2024-03-12', 'a.parquet', rowsOf(12, 250));
    const { score } = path.services.functions;
    let units = 0;
    path.services.functions = {
      ...path.services.functions,
      score: (unit) => {
        units++;
        return score!(unit);
      },
    };
    await runMachine({ partitions: { kind: 'newest' } });
    await expectPublished('dt=2024-03-12', 0, rowsOf(12, 250));
    expect(units).toBe(3);
    const before = await publicationStatus(currentJob().scores);
    expect(before.map(({ partition }) => partition)).toEqual(['dt=2024-03-12']);
    await runMachine({ partitions: { kind: 'newest' } });
    expect(units).toBe(3);
    expect(await publicationStatus(currentJob().scores)).toEqual(before);
    const dates = { kind: 'dates', from: '2024-03-11', to: '2024-03-12' };
    await runMachine({ partitions: dates, modelUri: modelUri(1) });
    await expectPublished('dt=2024-03-11', 1, rowsOf(11, 130));
    await expectPublished('dt=2024-03-12', 1, rowsOf(12, 250));
  }, 180_000);

  it('refuses a request and a unit that it does not know', async () => {
    const unknown = { code: 'EVENT_INVALID' };
    await expect(
      planHandler({ step: 'choose', run: 'r', request: { partitions: { kind: 'all' } } }),
    ).rejects.toMatchObject(unknown);
    await expect(planHandler(null)).rejects.toMatchObject(unknown);
    await expect(scoreHandler({ spans: [] }, time(600_000))).rejects.toMatchObject(unknown);
  });

  it('forgets a model that could not be loaded, and takes it when it is there', async () => {
    await land('dt=2024-03-11', 'a.parquet', rowsOf(11, 130));
    const [planned] = await planWhole(planHandler, { partitions: { kind: 'newest' } });
    const unit = planned!.units[0]!;
    // Another model is the warm one.
    await scoreHandler(unit, time(600_000));
    const moved = {
      ...unit,
      modelUri: `s3://${s3.bucket}/models/later`,
      model: { ...unit.model, version: 'x' },
    };
    const other = {
      ...moved,
      // Nobody has scored them.
      parts: unit.parts.map((part, index) => ({ ...part, partId: `${index}`.padStart(64, 'f') })),
      model: { ...unit.model, sha256: models[1]!.bundle.manifest.files['model.onnx'].sha256 },
    };
    await expect(scoreHandler(other, time(600_000))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await putFolder(models[1]!.bundleUri, `s3://${s3.bucket}/models/later`);
    const rows = other.parts.reduce((sum, part) => sum + part.rows, 0);
    expect(await scoreHandler(other, time(600_000))).toMatchObject({
      partsScored: other.parts.length,
      rowsScored: rows,
    });
    await expect(
      scoreHandler({ ...moved, model: { ...unit.model, contractFingerprint: 'x' } }, time(600_000)),
    ).rejects.toThrow(/isn't the model that was planned with/);
  });
});
