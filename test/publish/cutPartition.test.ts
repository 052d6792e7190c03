import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mapConcurrently } from '../../lib/base/mapConcurrently.ts';
import { cutPartition } from '../../lib/publish/cutPartition.ts';
import { type PartitionRun, PLAN_FORMAT_VERSION } from '../../lib/publish/partitionRun.ts';
import { planPartition } from '../../lib/publish/planPartition.ts';
import { shardMatcher } from '../../lib/storage/listShards.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { GATES_OFF, NOTHING_EARLIER } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();
let count = 0;
const freshRun = (base = folder): PartitionRun => ({
  formatVersion: PLAN_FORMAT_VERSION,
  modelUri: 'unused',
  model: { version: 'v', sha256: 'a', contractFingerprint: 'b' },
  root: joinUri(base, `scores-${count}`),
  targetRows: 1_000,
  toleratedBrokenShards: 0,
  gates: GATES_OFF,
  jobDigest: 'job',
  liftHold: false,
  partition: 'dt=2024-03-09',
  inputUri: joinUri(base, `input-${count++}`),
  basedOnGeneration: 0,
  earlier: NOTHING_EARLIER,
});
const put = ({ inputUri }: PartitionRun, name: string, rows: number, rowGroupRows = rows) =>
  writeWhole(joinUri(inputUri, name), funnelShard(funnelRows('2024-03-09', rows), rowGroupRows));
const shardsOf = async (run: PartitionRun) =>
  (await cutPartition(run))!.parts.flatMap(({ spans }) => spans.map(({ shard }) => shard));

describe('the shards that a job counts', () => {
  it('are those of its pattern; the others are named as passed over', async () => {
    const run = { ...freshRun(), shardPattern: 'part-*.parquet' };
    for (const name of ['part-0.parquet', 'part-1.parquet', 'side.parquet', 'x/part-2.parquet']) {
      await put(run, name, 10);
    }
    expect(await shardsOf(run)).toEqual(['part-0.parquet', 'part-1.parquet']);
    const { ignored } = (await cutPartition(run))!;
    expect(ignored).toEqual([join(run.inputUri, 'side.parquet'), join(run.inputUri, 'x/part-2.parquet')]);
    expect(await shardsOf({ ...run, shardPattern: '**part-*' })).toHaveLength(3);
    await expect(shardsOf({ ...run, shardPattern: 'none-*' })).rejects.toMatchObject({
      code: 'INPUT_EMPTY',
      expected: 'shards named none-*',
    });
  });

  it.each([
    ['part-*', 'part-0.parquet', true],
    ['part-*', 'a/part-0', false],
    ['part-*', 'xpart-0', false],
    ['*/part', 'a/part', true],
    ['*/part', 'a/b/part', false],
    ['**/part', 'a/b/part', true],
    ['a.b', 'axb', false],
    ['a+(b)', 'a+(b)', true],
  ])('%s matches %s: %s', (pattern, path, isMatch) => {
    expect(shardMatcher(pattern)(path)).toBe(isMatch);
  });
});

describe('footers', () => {
  it('are read once per version of a shard, whatever is planned, and again when a shard is replaced', async () => {
    const run = freshRun(`s3://${s3.bucket}/shapes`);
    for (const name of ['a.parquet', 'b.parquet', 'c']) await put(run, name, 30);
    const reads: string[] = [];
    const counted = async () => {
      reads.length = 0;
      s3.double!.options = {
        fault: ({ method, key }) => {
          if (method === 'GET' && key.includes('/input-')) reads.push(key.split('/').at(-1)!);
          return undefined;
        },
      };
      const shards = await shardsOf(run);
      s3.double!.options = {};
      return shards;
    };
    expect(await counted()).toEqual(['a.parquet', 'b.parquet', 'c']);
    // One for each footer; what has no ending is looked at first.
    expect(reads.sort()).toEqual(['a.parquet', 'b.parquet', 'c', 'c']);
    expect(await counted()).toEqual(['a.parquet', 'b.parquet', 'c']);
    expect(reads).toEqual([]);
    await put(run, 'b.parquet', 40);
    await counted();
    expect(reads).toEqual(['b.parquet']);
  });

  it('that there was no time for are read by the next call, and none twice', async () => {
    const run = freshRun();
    for (let i = 0; i < 600; i++) {
      await storageFor(run.inputUri).createIfAbsent(
        joinUri(run.inputUri, `${String(i).padStart(3, '0')}.parquet`),
        SMALL,
      );
    }
    let calls = 0;
    let planned: Awaited<ReturnType<typeof planPartition>>;
    while (planned === undefined) {
      calls++;
      planned = await planPartition(run, { mayGoOn: () => false });
    }
    // 256 footers are read before anybody looks at the clock.
    expect(calls).toBe(3);
    expect(planned).toMatchObject({ brokenCount: 0 });
    expect((await cutPartition(run))!.shardCount).toBe(600);
  });

  it('that were read before the store failed are not read again', async () => {
    const run = freshRun(`s3://${s3.bucket}/failing`);
    const names = Array.from({ length: 300 }, (_, i) => `${String(i).padStart(3, '0')}.parquet`);
    await mapConcurrently(names, 16, (name) => writeWhole(joinUri(run.inputUri, name), SMALL));
    const reads = new Set<string>();
    let isFailing = true;
    s3.double!.options = {
      fault: ({ method, key }) => {
        if (method !== 'GET' || !key.endsWith('.parquet')) return undefined;
        if (isFailing && key.endsWith('/280.parquet')) {
          return { kind: 'status', status: 403, code: 'AccessDenied' };
        }
        reads.add(key);
        return undefined;
      },
    };
    await expect(cutPartition(run)).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
    const before = reads.size;
    isFailing = false;
    reads.clear();
    expect((await cutPartition(run))!.shardCount).toBe(300);
    expect(before).toBeGreaterThanOrEqual(256);
    expect(reads.size).toBe(300 - 256);
    s3.double!.options = {};
  });
});
const SMALL = funnelShard(funnelRows('2024-03-09', 2), 2);

it('a row group that no worker can end is refused when it is planned, by shard and place', async () => {
  const run = freshRun();
  await put(run, 'a.parquet', 20);
  await put(run, 'b.parquet', 50, 30);
  await expect(planPartition(run, { mostRowGroupRows: 29 })).rejects.toMatchObject({
    code: 'PLAN_ROW_GROUP_TOO_LARGE',
    location: { file: join(run.inputUri, 'b.parquet'), rowGroup: 0 },
    found: '30',
  });
  expect(await planPartition(run, { mostRowGroupRows: 30 })).toMatchObject({ unitCount: 1 });
});
