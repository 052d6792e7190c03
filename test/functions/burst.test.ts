import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapConcurrently } from '../../lib/base/mapConcurrently.ts';
import { SMALL_SHARD_BYTES } from '../../lib/scoring/requestLimits.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { EventPath } from '../support/functions/eventPath.ts';
import { currentJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { type RequestCounts, requestCounts } from '../support/s3/requestCounts.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

// A burst on the real code, with every S3 request counted. The count follows from how many shards make a part, and not from
// their rows: 20 of 100 stand for 200,000 of 1,000,000. What bytes add is held elsewhere: test/scoring/shardRequests.test.ts has
// the two requests of a shard of 200,000 rows, which the shards here are large enough to need, and
// test/publish/partRequests.test.ts those of a part of 40 MB.
const s3 = testEndpoint();
const folder = temporaryFolder();
const SHARDS = 200;
const WAVES = 5;
const PARTITION = 'dt=2024-03-11';
/** Messages of a batch; the deployed queue waits until it has more. */
const MESSAGES = 10;
let model: TinyModel;
let path: EventPath;
let caseNumber = 0;

beforeAll(async () => {
  if (s3.double === undefined) return;
  path = await EventPath.start(s3);
  model = await trainTinyModel(join(folder, 'model'));
  await putFolder(model.bundleUri, `s3://${s3.bucket}/models/0`);
}, 60_000);
afterAll(() => path?.stop());

/** Shards in order of their names; those of a wave lie evenly among the others, which changes the most parts. */
interface Burst {
  readonly shards: readonly (readonly FunnelRow[])[];
  readonly wave: (number: number) => Promise<void>;
}

/** @param tagBytes length of each tag, which no part holds: it makes shards large */
function burstOf(rowsPerShard: number, tagBytes: number): Burst {
  const rows = funnelRows('2024-03-11', SHARDS * rowsPerShard).map((row) =>
    tagBytes === 0 ? row : { ...row, tags: wideTags(row.impression_id, tagBytes) },
  );
  const shards = Array.from({ length: SHARDS }, (_, i) =>
    rows.slice(i * rowsPerShard, (i + 1) * rowsPerShard),
  );
  const wave = async (number: number) => {
    const places = [...shards.keys()].filter((place) => place % WAVES === number);
    await mapConcurrently(places, 8, (place) => {
      const name = `${PARTITION}/${String(place).padStart(3, '0')}.parquet`;
      return path.land(name, funnelShard(shards[place]!, rowsPerShard));
    });
    while (path.queue.messages.length > 0) await path.deliver(path.queue.take(MESSAGES));
  };
  return { shards, wave };
}

function wideTags(id: bigint, bytes: number): string[] {
  return Array.from({ length: 5 }, (_, tag) => `${tag} of ${id}`.padEnd(bytes, '.'));
}

/** All shards land, those of later waves while the first wave's parts are being scored. @returns what it took */
async function publishBurst({ wave }: Burst, targetRows: number): Promise<RequestCounts> {
  path.begin(`burst-${caseNumber++}`, `s3://${s3.bucket}/models/0`, targetRows);
  const { score } = path.services.functions;
  let first: Promise<void> | undefined;
  let lag: Promise<void> | undefined;
  path.services.functions = {
    ...path.services.functions,
    score: async (unit) => {
      lag ??= (async () => {
        // A slow machine may score before all of the first wave is delivered: its messages would be taken one by one with those of
        // the next, and each batch has requests of its own.
        await first;
        for (let number = 1; number < WAVES; number++) await wave(number);
      })();
      await lag;
      return score!(unit);
    },
  };
  const before = s3.double!.requests.length;
  first = wave(0);
  await first;
  await path.sfn.settled();
  expect(path.queue.messages, 'nothing comes again').toEqual([]);
  return requestCounts(s3.double!.requests.slice(before), currentJob());
}

async function expectPublished({ shards }: Burst): Promise<void> {
  const input = join(folder, `expected-${caseNumber}`);
  mkdirSync(input, { recursive: true });
  writeFileSync(join(input, 'all.parquet'), funnelShard(shards.flat()));
  await scoreInput(input, `${input}-scores`, model.bundle, { workers: 1 });
  const files = filesBelow(`${input}-scores`).map((file) => join(`${input}-scores`, file));
  const expected = new Map(files.flatMap((file) => [...scoreBits(file)]));
  const found = await publishedBits(currentJob().scores, PARTITION);
  expect(found.size).toBe(shards.flat().length);
  expect(isDeepStrictEqual(found, expected), 'the bits that score gives').toBe(true);
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  `a burst of ${SHARDS} shards in ${WAVES} waves, the first of which is scored slowly`,
  { timeout: 240_000 },
  () => {
    it('is published by two runs in fewer than 6 requests per shard, five shards to a part', async () => {
      const rowsPerShard = 20;
      const burst = burstOf(rowsPerShard, Math.ceil((1.1 * SMALL_SHARD_BYTES) / rowsPerShard / 5));
      const counts = await publishBurst(burst, 5 * rowsPerShard);
      if (process.env.NCS4CVR_TEST_TABLES !== undefined) console.log(counts.table(SHARDS));
      expect(path.runs().map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
      await expectPublished(burst);
      expect(counts.total).toBeLessThanOrEqual(5.75 * SHARDS);
      // Asked for once before it is scored; what is visible isn't read again; no folder is looked for before it is listed.
      const of = (kind: string) => counts.byKind.get(kind) ?? 0;
      expect(of('HEAD parts')).toBe(of('PUT parts'));
      expect(of('GET parts')).toBe(of('PUT parts'));
      expect(of('PUT keys')).toBe(of('PUT parts'));
      expect(of('GET receipts')).toBeLessThan(of('PUT receipts'));
      expect([of('HEAD receipts'), of('HEAD broken')]).toEqual([0, 0]);
    });

    it('is published by two runs in at most 3 requests per shard, a thousand shards to a part', async () => {
      const burst = burstOf(5, 0);
      // A thousand rows per shard, to a target of a million.
      const counts = await publishBurst(burst, 5_000);
      if (process.env.NCS4CVR_TEST_TABLES !== undefined) console.log(counts.table(SHARDS));
      expect(path.runs().map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
      await expectPublished(burst);
      expect(counts.total).toBeLessThanOrEqual(3 * SHARDS);
    });
  },
);
