import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Table, tableFromIPC } from 'apache-arrow';
import type { SQSEvent } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { readForeignRows } from '../parquet/plainValues.ts';
import { readTable, tableBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { EventPath } from '../support/functions/eventPath.ts';
import { changeJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { runStateMachine } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';

// Three real days on their way from S3 to a reader, one step after the other. After each, what the reader gets is held against
// the shards themselves, read by another Parquet reader, and against what `ncs4cvr score` makes of them on local files.
const s3 = testEndpoint();
const folder = temporaryFolder();
const [MONDAY, WEDNESDAY, FRIDAY] = ['2022-04-25', '2022-04-27', '2022-04-29'];
/** Days whose shards land in place of another one, or beside it. */
const [REPLACING, LATE] = ['2022-05-05', '2022-05-03'];
const KEYS = ['impression_id', 'user_id', 'video_id'];
let path: EventPath;
let bundles: Record<'first' | 'second', ModelBundle>;
let root: string;
let mondaysFirstEvent: SQSEvent;

const shardOf = (day: string) => `${sharedData}kuairand-pure/dt=${day}/part-0.parquet`;
const land = (day: string, copies: number, { name = 'part-0', bytesOf = day } = {}) =>
  path.land(`dt=${day}/${name}.parquet`, readFileSync(shardOf(bytesOf)), copies);
const uriOf = (model: keyof typeof bundles) => `s3://${s3.bucket}/models/${model}`;

async function trainSmall(modelVersion: string, seed: number): Promise<ModelBundle> {
  const example = JSON.parse(
    readFileSync(new URL('../../examples/kuairand.json', import.meta.url), 'utf8'),
  ) as Record<string, Record<string, unknown>>;
  const config = parseTrainingConfig(
    {
      ...example,
      modelVersion,
      split: {
        by: 'date',
        train: { from: MONDAY, to: MONDAY },
        validation: { from: WEDNESDAY, to: WEDNESDAY },
      },
      network: { ...example.network, embeddingWidth: 4, hidden: [16, 8] },
      training: { ...example.training, seed, epochs: 1, validationsPerEpoch: 1 },
    },
    'kuairand.json',
  );
  const { bundle } = await trainModel(config, `${sharedData}kuairand-pure`, join(folder, modelVersion));
  return bundle;
}

/** Keys and score bits of every row, in order. */
function rowTexts(table: Table): string[] {
  const keys = KEYS.map((name) => table.getChild(name)!);
  const bits = [...tableBits(table).values()];
  return bits.map((text, row) => `${keys.map((key) => key.get(row)).join('/')} ${text}`);
}

const localScores = new Map<string, readonly string[]>();
async function scoredLocally(model: keyof typeof bundles, day: string): Promise<readonly string[]> {
  const output = join(folder, `${model}-${day}.arrow`);
  if (!localScores.has(output)) {
    await scoreInput(shardOf(day), output, bundles[model], { workers: 1 });
    localScores.set(output, rowTexts(readTable(output)));
  }
  return localScores.get(output)!;
}

/** A reader of a day sees the rows of these days' shards, all, once, in order, with the bits of this model. */
async function expectReader(day: string, model: keyof typeof bundles, ...shards: string[]): Promise<void> {
  const { manifest } = await resolvePartition(`${root}/scores`, `dt=${day}`);
  const rows: string[] = [];
  for (const { path } of manifest.parts) {
    const uri = `${root}/scores/${path}`;
    rows.push(...rowTexts(tableFromIPC(await storageFor(uri).readWhole(uri))));
  }
  const inputs = await Promise.all(
    shards.map((shard) => readForeignRows(readFileSync(shardOf(shard)), KEYS)),
  );
  const keys = inputs.flat().map((row) => KEYS.map((name) => row[name]).join('/'));
  expect(new Set(keys).size).toBe(keys.length);
  expect(manifest.rows).toBe(keys.length);
  expect(manifest.model.version).toBe(bundles[model].manifest.modelVersion);
  expect(rows.map((row) => row.split(' ')[0]).join() === keys.join(), `${day}: the shards' rows`).toBe(true);
  const scores = await Promise.all(shards.map((shard) => scoredLocally(model, shard)));
  expect(rows.join() === scores.flat().join(), `${day}: the bits of local files`).toBe(true);
}

let runNumber = 0;
const run = (request: object) =>
  runStateMachine(scoringRun, request, scoringRunServices(), {
    name: `run-${runNumber++}`,
    stateMachineArn: path.sfn.stateMachineArn,
  });
/** Names and digests of the parts below an output root. */
function partsBelow(scores: string): string[] {
  const bucket = s3.double!.buckets.get(s3.bucket)!;
  const prefix = `days/${scores}/parts/`;
  return bucket.keys(prefix, '').map((key) => `${key.slice(prefix.length)} ${bucket.get(key).etag}`);
}

/**
 * Delivers all messages while requests for what is below the output root fail at random, and with each whatever sent it. The
 * state machine tries its steps a few times; partitions whose runs have failed nevertheless are told of once more.
 * @returns how many requests failed
 */
async function deliverWithFailures(seed: number, share: number): Promise<number> {
  const random = new RandomStream(seed);
  const { options } = s3.double!;
  let failures = 0;
  s3.double!.options = {
    ...options,
    fault: ({ key }) => {
      if (!key.startsWith('days/scores/') || random.nextUniform() >= share) return undefined;
      failures++;
      return { kind: 'status', status: 403, code: 'AccessDenied' };
    },
  };
  const before = path.runs().length;
  await path.deliverAll(seed);
  s3.double!.options = options;
  for (const { status, input } of path.runs().slice(before)) {
    if (status === 'SUCCEEDED') continue;
    const key = `days/features/${JSON.parse(input).arrival.partition}/any.parquet`;
    path.queue.put(JSON.stringify({ Records: [{ s3: { bucket: { name: s3.bucket }, object: { key } } }] }));
  }
  await path.deliverAll(seed);
  return failures;
}

const [isLeftOut, reason] = !hasSharedData
  ? [true, ' (skipped: ../shared/data is missing)']
  : [process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined, ''];

describe.skipIf(isLeftOut)(`three days of real impressions${reason}`, () => {
  beforeAll(async () => {
    path = await EventPath.start(s3);
    bundles = { first: await trainSmall('kuairand-1', 1), second: await trainSmall('kuairand-2', 2) };
    await putFolder(bundles.first.uri, uriOf('first'));
    await putFolder(bundles.second.uri, uriOf('second'));
    // Two spans and more a day.
    root = path.begin('days', uriOf('first'), 5_000);
  });
  afterAll(() => path?.stop());

  it('that land out of order and twice are each published whole, however often a function is cut off', async () => {
    await land(FRIDAY, 2);
    const fridays = path.queue.take(2);
    await land(MONDAY, 3);
    mondaysFirstEvent = path.queue.take(1);
    await land(WEDNESDAY, 2);
    expect(await deliverWithFailures(1, 0.08)).toBeGreaterThan(3);
    await expectReader(MONDAY, 'first', MONDAY);
    await expectReader(WEDNESDAY, 'first', WEDNESDAY);
    await expect(resolvePartition(`${root}/scores`, `dt=${FRIDAY}`)).rejects.toMatchObject({
      code: 'PUBLISH_NOTHING',
    });
    path.queue.messages.push(...fridays.Records);
  });

  it('the nightly run publishes the newest day, and its events change nothing when they come at last', async () => {
    await run({ partitions: { kind: 'newest' } });
    await expectReader(FRIDAY, 'first', FRIDAY);
    const before = await resolvePartition(`${root}/scores`, `dt=${FRIDAY}`);
    expect(await path.deliverAll(2)).toBeGreaterThan(0);
    expect(await resolvePartition(`${root}/scores`, `dt=${FRIDAY}`)).toEqual(before);
  });

  it('runs of arrivals and a backfill make the same parts, byte for byte', async () => {
    changeJob({ scores: `${root}/scores-again` });
    await run({ partitions: { kind: 'dates', from: MONDAY, to: FRIDAY } });
    changeJob({ scores: `${root}/scores` });
    expect(partsBelow('scores-again').length).toBeGreaterThan(5);
    expect(partsBelow('scores-again')).toEqual(partsBelow('scores'));
  });

  it('a backfill shows the second model for its days, and leaves the others', async () => {
    await run({
      partitions: { kind: 'dates', from: MONDAY, to: WEDNESDAY },
      modelUri: uriOf('second'),
    });
    await expectReader(MONDAY, 'second', MONDAY);
    await expectReader(WEDNESDAY, 'second', WEDNESDAY);
    await expectReader(FRIDAY, 'first', FRIDAY);
  });

  it('a replaced shard, and one beside a published one, are shown with the model of their day', async () => {
    await land(MONDAY, 2, { bytesOf: REPLACING });
    await land(WEDNESDAY, 2, { name: 'part-1', bytesOf: LATE });
    await land(FRIDAY, 1, { name: 'part-1', bytesOf: LATE });
    expect(await deliverWithFailures(3, 0.05)).toBeGreaterThan(1);
    await expectReader(MONDAY, 'second', REPLACING);
    await expectReader(WEDNESDAY, 'second', WEDNESDAY, LATE);
    await expectReader(FRIDAY, 'first', FRIDAY, LATE);
  });

  it('an event of the shard that was replaced changes nothing when it comes late', async () => {
    const before = await resolvePartition(`${root}/scores`, `dt=${MONDAY}`);
    path.queue.messages.push(...mondaysFirstEvent.Records);
    await path.deliverAll(4);
    expect(await resolvePartition(`${root}/scores`, `dt=${MONDAY}`)).toEqual(before);
  });

  it('a roll-back shows the state before, and neither a late event nor a run changes it until one lifts the hold', async () => {
    const parts = partsBelow('scores');
    const reason = 'the replaced shard is wrong';
    const { generation } = (await rollBack(`${root}/scores`, `dt=${MONDAY}`, reason)).pointer;
    await expectReader(MONDAY, 'second', MONDAY);
    path.queue.messages.push(...mondaysFirstEvent.Records);
    await path.deliverAll(5);
    await run({ partitions: { kind: 'one', partition: `dt=${MONDAY}` } });
    await expectReader(MONDAY, 'second', MONDAY);
    const { pointer } = await resolvePartition(`${root}/scores`, `dt=${MONDAY}`);
    expect(pointer).toMatchObject({ generation, hold: reason });
    await run({ partitions: { kind: 'one', partition: `dt=${MONDAY}` }, liftHold: true });
    await expectReader(MONDAY, 'first', REPLACING);
    // Of all that was ever scored nothing is gone or other than it was.
    expect(partsBelow('scores')).toEqual(expect.arrayContaining(parts));
  });

  it("the other days are as they were, down to the reader's bits", async () => {
    await expectReader(WEDNESDAY, 'second', WEDNESDAY, LATE);
    await expectReader(FRIDAY, 'first', FRIDAY, LATE);
  });
});
