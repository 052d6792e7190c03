import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findRepeatedKeys } from '../../lib/keys/findRepeatedKeys.ts';
import type { KeyedPart } from '../../lib/keys/openFingerprints.ts';
import { partKeysSchema } from '../../lib/keys/partKeys.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { type KeyedRow, writeKeyedPart } from './writeKeyedPart.ts';

const folder = temporaryFolder();
let root = '';
let roots = 0;
beforeEach(() => {
  root = join(folder, `root-${roots++}`);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Distinct keys, `request` cut off otherwise for every other user. */
const rowsFrom = (first: number, count: number): KeyedRow[] =>
  Array.from({ length: count }, (_, index) => ({
    user: (first + index) >> 1,
    request: `r${(first + index) & 1}`,
  }));
const fileOf = (part: KeyedPart) => join(root, part.keys.fingerprints!.path);

/** Ranges that are read of fingerprints and of parts. */
function countReads() {
  const reads = { keys: 0, parts: 0 };
  const open = localDisk.open.bind(localDisk);
  vi.spyOn(localDisk, 'open').mockImplementation(async (uri, known) => {
    reads[uri.endsWith('.bin') ? 'keys' : 'parts']++;
    return open(uri, known);
  });
  return reads;
}

describe('repeated keys of a partition', () => {
  test('are none among 20,000 distinct tuples, whatever the buckets, and no part is read again', async () => {
    const parts = [];
    for (let part = 0; part < 4; part++) {
      parts.push(
        await writeKeyedPart(root, `p${part}`, { [`${part}.parquet`]: rowsFrom(5_000 * part, 5_000) }),
      );
    }
    const reads = countReads();
    for (const perBucket of [300, 7_777, 20_000, 2 ** 23]) {
      expect(await findRepeatedKeys(root, parts, { perBucket })).toEqual({
        ...{ rows: 20_000, repeatedRows: 0, isConfirmed: true, examples: [] },
      });
    }
    expect(reads.parts).toBe(0);
  });

  test('are counted within a part and across parts, with the shards and scores of the rows', async () => {
    const parts = [
      await writeKeyedPart(root, 'p0', {
        'a.parquet': [...rowsFrom(0, 9_000), { user: -7, request: 'é', pctr: 0.5 }],
        'b.parquet': [{ user: -7, request: 'é', pctr: 0.25 }],
      }),
      await writeKeyedPart(root, 'p1', { 'c.parquet': [] }),
      await writeKeyedPart(root, 'p2', {
        'd.parquet': rowsFrom(9_000, 3_000),
        'e.parquet': [
          { user: 1, request: 'r0', pcvr: 0.125 },
          { user: -7, request: 'é' },
        ],
      }),
    ];
    for (const perBucket of [50, 1_000, 2 ** 23]) {
      const found = await findRepeatedKeys(root, parts, { perBucket });
      expect(found).toMatchObject({ rows: 12_004, repeatedRows: 3, isConfirmed: true });
      expect(Object.fromEntries(found.examples.map(({ key, rows }) => [key, rows]))).toEqual({
        'user=-7, request="é"': [
          { shard: 'a.parquet', partId: 'p0', pctr: 0.5, pcvr: 0.5, pctcvr: 0.25 },
          { shard: 'b.parquet', partId: 'p0', pctr: 0.25, pcvr: 0.5, pctcvr: 0.125 },
          { shard: 'e.parquet', partId: 'p2', pctr: 0.25, pcvr: 0.5, pctcvr: 0.125 },
        ],
        'user=1, request="r0"': [
          { shard: 'a.parquet', partId: 'p0', pctr: 0.25, pcvr: 0.5, pctcvr: 0.125 },
          { shard: 'e.parquet', partId: 'p2', pctr: 0.25, pcvr: 0.125, pctcvr: 0.03125 },
        ],
      });
    }
  });

  test('that are all rows, a partition twice, are counted by fingerprints and a sample of parts is read', async () => {
    const parts = [];
    for (let part = 0; part < 8; part++) {
      parts.push(
        await writeKeyedPart(root, `p${part}`, { [`${part}.parquet`]: rowsFrom(2_000 * (part % 4), 2_000) }),
      );
    }
    const reads = countReads();
    const found = await findRepeatedKeys(root, parts, { perBucket: 3_000, rowsToConfirm: 4_000 });
    expect(found).toMatchObject({ rows: 16_000, repeatedRows: 8_000, isConfirmed: false });
    expect(found.examples).toHaveLength(5);
    for (const { rows } of found.examples) expect(rows).toHaveLength(2);
    expect(reads.parts).toBe(2);
    // More rows may be read than there are, but more keys are repeated than are remembered.
    expect(await findRepeatedKeys(root, parts)).toMatchObject({ repeatedRows: 8_000, isConfirmed: false });
  });

  test('that are one single key in all rows, or two, take no more memory or time than others', async () => {
    const same = Array.from({ length: 50_000 }, (_, row) => ({ user: row & 1, request: 'x' }));
    const parts = [
      await writeKeyedPart(root, 'p0', { 'a.parquet': same }),
      await writeKeyedPart(root, 'p1', { 'b.parquet': same }),
    ];
    const reads = countReads();
    const found = await findRepeatedKeys(root, parts, { perBucket: 1_000 });
    // Each range is guessed to hold a hundredth of the rows, and one has half of them.
    expect(reads.keys).toBeLessThan(2 * 120);
    expect(found).toMatchObject({ rows: 100_000, repeatedRows: 99_998, isConfirmed: true });
    expect(found.examples.map(({ key }) => key).sort()).toEqual([
      'user=0, request="x"',
      'user=1, request="x"',
    ]);
    expect(parts[0]!.keys.repeatedRows).toBe(49_998);
  });

  test('of one part are known from its receipt: nothing is read unless there are some', async () => {
    const part = await writeKeyedPart(root, 'p0', { 'a.parquet': rowsFrom(0, 500) });
    const reads = countReads();
    expect((await findRepeatedKeys(root, [part])).repeatedRows).toBe(0);
    expect(reads).toEqual({ keys: 0, parts: 0 });
    const other = await writeKeyedPart(root, 'p1', { 'a.parquet': [...rowsFrom(0, 500), ...rowsFrom(0, 2)] });
    expect(await findRepeatedKeys(root, [other])).toMatchObject({ repeatedRows: 2, isConfirmed: true });
  });

  test('are no rows whose fingerprints collide: their keys are compared', async () => {
    const parts = [
      await writeKeyedPart(root, 'p0', { 'a.parquet': rowsFrom(0, 100) }),
      await writeKeyedPart(root, 'p1', { 'b.parquet': rowsFrom(100, 100) }),
    ];
    // As if the smallest fingerprint of all were the other part's smallest too.
    const [low, high] = parts
      .map((part) => ({ file: fileOf(part), bytes: readFileSync(fileOf(part)) }))
      .sort((a, b) => (a.bytes.readBigUInt64LE() < b.bytes.readBigUInt64LE() ? -1 : 1));
    low!.bytes.copy(high!.bytes, 0, 0, 8);
    writeFileSync(high!.file, high!.bytes);
    expect(await findRepeatedKeys(root, parts)).toEqual({
      ...{ rows: 200, repeatedRows: 0, isConfirmed: true, examples: [] },
    });
  });
});

describe('files of fingerprints', () => {
  test('of many small parts are read once, however many buckets there are', async () => {
    const parts = [];
    for (let part = 0; part < 40; part++) {
      parts.push(await writeKeyedPart(root, `p${part}`, { 'a.parquet': rowsFrom(50 * part, 50) }));
    }
    const reads = countReads();
    expect((await findRepeatedKeys(root, parts, { perBucket: 100 })).repeatedRows).toBe(0);
    expect(reads.keys).toBe(40);
  });

  test('of large parts are read a range at a time: a request per bucket and part, no byte much more than once', async () => {
    const parts = [
      await writeKeyedPart(root, 'p0', { 'a.parquet': rowsFrom(0, 60_000) }, 60_000),
      await writeKeyedPart(root, 'p1', { 'b.parquet': rowsFrom(60_000, 60_000) }, 60_000),
    ];
    const reads = countReads();
    expect((await findRepeatedKeys(root, parts, { perBucket: 30_000 })).repeatedRows).toBe(0);
    expect(reads.keys).toBe(2 * 4);
  });

  test('that are gone, or cut, are made anew from their parts, to the same bytes', async () => {
    const parts = [
      await writeKeyedPart(root, 'p0', { 'a.parquet': rowsFrom(0, 500) }),
      await writeKeyedPart(root, 'p1', { 'b.parquet': rowsFrom(499, 500) }),
    ];
    const before = parts.map((part) => readFileSync(fileOf(part)));
    rmSync(fileOf(parts[0]!));
    writeFileSync(fileOf(parts[1]!), before[1]!.subarray(0, 100));
    expect(await findRepeatedKeys(root, parts)).toMatchObject({ repeatedRows: 1, isConfirmed: true });
    expect(parts.map((part) => readFileSync(fileOf(part)))).toEqual(before);
  });

  test('that are not sorted are refused by name', async () => {
    const parts = [
      await writeKeyedPart(root, 'p0', { 'a.parquet': rowsFrom(0, 500) }),
      await writeKeyedPart(root, 'p1', { 'b.parquet': rowsFrom(500, 500) }),
    ];
    const bytes = readFileSync(fileOf(parts[1]!));
    bytes[1_007] = bytes[1_007]! ^ 0x80;
    writeFileSync(fileOf(parts[1]!), bytes);
    await expect(findRepeatedKeys(root, parts)).rejects.toMatchObject({
      code: 'PUBLISH_DOCUMENT_INVALID',
      location: { file: fileOf(parts[1]!) },
    });
  });
});

test('a part with rows whose receipt names no fingerprints is refused by its name', async () => {
  const part = await writeKeyedPart(root, 'unnamed', { 'a.parquet': rowsFrom(0, 5) });
  const unnamed = { ...part, keys: { ...part.keys, fingerprints: null } };
  await expect(findRepeatedKeys(root, [unnamed, part])).rejects.toMatchObject({
    code: 'PUBLISH_PART_INVALID',
    location: { file: join(root, part.path) },
  });
});

test.each(['../outside.bin', 'keys/../../outside.bin', '/outside.bin', ''])(
  'fingerprints at %j, which would be made anew there, are none that a receipt may name',
  async (path) => {
    const { keys } = await writeKeyedPart(root, 'led-out', { 'a.parquet': rowsFrom(0, 5) });
    expect(partKeysSchema.safeParse(keys).success).toBe(true);
    const fingerprints = { ...keys.fingerprints, path };
    expect(partKeysSchema.safeParse({ ...keys, fingerprints }).success).toBe(false);
  },
);
