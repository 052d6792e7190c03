import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { readShardShape } from '../../lib/parquet/readShardShape.ts';
import { SMALL_SHARD_BYTES } from '../../lib/scoring/requestLimits.ts';
import { scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { readTable } from './readScores.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();
let bundle: ModelBundle;
let pool: WorkerPool;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
  pool = scoringPool(bundle, 2);
});
afterAll(() => pool.close());

/** Puts shards of so many rows, one row group each; then as a listing gives them. */
async function put(prefix: string, ...rowCounts: number[]) {
  for (const [index, rowCount] of rowCounts.entries()) {
    const bytes = Buffer.from(funnelShard(funnelRows('2024-03-04', rowCount), rowCount));
    s3.double!.buckets.get(s3.bucket)!.put(
      `${prefix}/${String(index).padStart(3, '0')}.parquet`,
      bytes,
      {},
      {},
    );
  }
  const listed = await s3Storage.list(`s3://${s3.bucket}/${prefix}`);
  return listed.map(({ uri, sizeBytes, version }) => ({ uri, known: { sizeBytes, version } }));
}

/** Requests that `work` sends, in words. */
async function requestsOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = s3.double!.requests.length;
  await work();
  return s3
    .double!.requests.slice(before)
    .map(({ method, key, headers }) => `${method} ${key} ${headers.range}`);
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('requests for a shard', () => {
  it('are one for all small row groups that are scored together, beside one for the footer', async () => {
    // Of about 60 bytes a row: too large to be read whole.
    const rows = 20_000;
    const bytes = Buffer.from(funnelShard(funnelRows('2024-03-04', rows), 1000));
    expect(bytes.length).toBeGreaterThan(SMALL_SHARD_BYTES);
    s3.double!.buckets.get(s3.bucket)!.put('groups/0.parquet', bytes, {}, {});
    const [listed] = await s3Storage.list(`s3://${s3.bucket}/groups`);
    const spans = [{ uri: listed!.uri, known: listed! }];
    const output = join(folder, 'groups.arrow');
    const requests = await requestsOf(() =>
      scoreSpans(spans, output, bundle, pool, { metadata: () => new Map() }),
    );
    expect(readTable(output).numRows).toBe(rows);
    expect(requests).toHaveLength(2);
  });

  it('are one for a small shard, whole, and none of them is a HEAD', async () => {
    const spans = await put('small', ...Array(20).fill(500));
    const output = join(folder, 'small.arrow');
    const requests = await requestsOf(() =>
      scoreSpans(spans, output, bundle, pool, { metadata: () => new Map() }),
    );
    const wanted = spans.map(
      ({ uri, known }) => `GET ${uri.split('/').slice(3).join('/')} bytes=0-${known.sizeBytes - 1}`,
    );
    expect(requests.sort()).toEqual(wanted);
    expect(readTable(output).numRows).toBe(10_000);
  });

  it('are two for a shard of 200,000 rows in one row group: footer and columns', async () => {
    const [span] = await put('large', 200_000);
    expect(span!.known.sizeBytes).toBeGreaterThan(SMALL_SHARD_BYTES);
    const output = join(folder, 'large.arrow');
    const requests = await requestsOf(() =>
      scoreSpans([span!], output, bundle, pool, { metadata: () => new Map() }),
    );
    expect(requests.map((request) => request.split(' ')[0])).toEqual(['GET', 'GET']);
    expect(readTable(output).numRows).toBe(200_000);
  });

  it('is one for the row counts that a plan needs', async () => {
    const [span] = await put('planned', 700);
    const requests = await requestsOf(async () => {
      expect((await readShardShape(span!.uri, span!.known)).rowCounts).toEqual([700]);
    });
    expect(requests).toHaveLength(1);
  });

  it('a shard that was replaced since it was listed is STORAGE_FILE_CHANGED, and is named', async () => {
    const spans = await put('replaced', 50, 50, 50);
    await put('replaced', 50, 60);
    const scored = scoreSpans(spans, join(folder, 'replaced.arrow'), bundle, pool, {
      metadata: () => new Map(),
    });
    await expect(scored).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      location: { file: spans[1]!.uri },
    });
  });
});
