import { describe, expect, test, vi } from 'vitest';
import { openShard } from '../../lib/parquet/openShard.ts';
import type { OpenSpan } from '../../lib/scoring/openSpans.ts';
import { planRequests } from '../../lib/scoring/planRequests.ts';
import { memoryFile } from '../parquet/memoryFile.ts';
import { sampleShard } from '../parquet/sampleShards.ts';

vi.mock('../../lib/scoring/requestLimits.ts', async (original) => ({
  ...(await original()),
  UNSPLIT_ROWS: 5000,
  SPLIT_ROWS: 2000,
  SPLIT_BYTES: 60_000,
  REQUEST_ROWS: 100,
  REQUEST_BYTES: 2000,
  JOIN_GAP_BYTES: 0,
}));

const SMALL_BYTES = 10_000;

/** Spans over shards of so many rows in row groups of so many; `id` takes at least 8 bytes per row. */
async function* spansOf(...shards: [rows: number, rowGroupRows: number][]): AsyncGenerator<OpenSpan> {
  for (const [index, [rows, rowGroupRows]] of shards.entries()) {
    const bytes = Uint8Array.from(sampleShard(rows, rowGroupRows));
    const shard = await openShard(memoryFile(bytes, `shard ${index}`));
    const whole = bytes.length <= SMALL_BYTES ? { bytes } : {};
    yield { index, shard, range: { first: 0, end: shard.rowGroups.length }, ...whole };
  }
}

/** Each request as "span/row group:rows ...". */
async function planned(
  spans: AsyncIterable<OpenSpan>,
  columns: string[],
  firstRowGroup?: number,
): Promise<string[]> {
  const found: string[] = [];
  for await (const { rowGroups, rowCount } of planRequests(spans, () => columns, firstRowGroup)) {
    expect(rowGroups.reduce((sum, { reads }) => sum + reads.rowCount, 0)).toBe(rowCount);
    found.push(rowGroups.map(({ span, reads }) => `${span}/${reads.rowGroup}:${reads.rowCount}`).join(' '));
  }
  return found;
}

describe('planRequests', () => {
  test('packs neighbours up to the limit of rows, across shards and in order; a large row group stands alone', async () => {
    expect(await planned(spansOf([60, 30], [40, 40], [1, 1], [150, 150], [10, 10]), ['id'])).toEqual([
      '0/0:30 0/1:30 1/0:40',
      '2/0:1',
      '3/0:150',
      '4/0:10',
    ]);
  });

  test('a row group of very many rows gets several requests, none shared, and each column is read by one run of neighbours', async () => {
    const requests = [];
    const columns = ['price', 'id', 'city'];
    for await (const request of planRequests(spansOf([10, 10], [5001, 5001], [5, 5]), () => columns)) {
      requests.push(request);
    }
    const found = requests.map(({ rowGroups: [first], rowCount }) => [
      first!.span,
      first!.rows,
      first!.rowStart,
      rowCount,
    ]);
    expect(found).toEqual([
      [0, undefined, 0, 10],
      [1, { start: 0, end: 2000 }, 0, 2000],
      [1, { start: 2000, end: 4000 }, 2000, 2000],
      [1, { start: 4000, end: 5001 }, 4000, 1001],
      [2, undefined, 0, 5],
    ]);
    const [before, first, ...others] = requests.map(({ split }) => split);
    expect(before).toBeUndefined();
    expect(others).toEqual([first, first, undefined]);
    const runs = first!.columnRuns.map(({ reads }) => reads.columns.map(({ column }) => column.name));
    // In the order of the file; 5,001 numbers of eight bytes are more than half of what a run may hold.
    expect(runs).toEqual([['id', 'city'], ['price']]);
    for (const { reads } of first!.columnRuns) expect(reads.rowCount).toBe(5001);
  });

  test('packs no more bytes than the limit', async () => {
    // 20 rows of a double are 160 bytes and their page header; ten of them and two more columns pass 2,000.
    const wide = await planned(spansOf([100, 20]), ['id', 'city', 'price']);
    expect(wide.length).toBeGreaterThan(1);
    expect(await planned(spansOf([100, 20]), ['price'])).toHaveLength(1);
  });

  test('starts at a row group of the first span only', async () => {
    expect(await planned(spansOf([50, 10], [20, 10]), ['id'], 4)).toEqual(['0/4:10 1/0:10 1/1:10']);
  });

  test('what it planned from a boundary on is what it plans when it starts there', async () => {
    const all = await planned(spansOf([190, 7], [95, 40], [30, 30]), ['id']);
    const [, second] = all;
    const [, rowGroup] = second!.match(/^0\/(\d+)/) ?? [];
    if (rowGroup === undefined) throw new Error('the second request starts within the first span');
    expect(await planned(spansOf([190, 7], [95, 40], [30, 30]), ['id'], Number(rowGroup))).toEqual(
      all.slice(1),
    );
  });

  test('brings the bytes of a small shard along, and leaves those of a larger one to the worker', async () => {
    const found: boolean[] = [];
    for await (const { rowGroups } of planRequests(spansOf([30, 30], [3000, 3000]), () => ['id'])) {
      found.push(...rowGroups.map(({ buffer }) => buffer !== undefined));
    }
    expect(found).toEqual([true, false]);
  });

  test('hands the memory of a small shard over to its last row group, if that is most of it; the others get copies', async () => {
    const all = (await openShard(memoryFile(sampleShard(1, 1)))).schema.fields.map(({ name }) => name);
    // In the second shard, the first row group is most of the file and not the last.
    for (const [columns, rowGroupRows, isShared] of [
      [all, 90, [true]],
      [all, 80, [false, false]],
      [['id'], 90, [false]],
    ] as const) {
      let memory: ArrayBufferLike | undefined;
      async function* noting() {
        for await (const span of spansOf([90, rowGroupRows])) {
          memory = span.bytes!.buffer;
          yield span;
        }
      }
      const file = Buffer.from(sampleShard(90, rowGroupRows));
      const found: boolean[] = [];
      for await (const { rowGroups } of planRequests(noting(), () => columns)) {
        for (const { buffer, reads } of rowGroups) {
          const pieces = reads.ranges.map(({ startByte, endByte }) => file.subarray(startByte, endByte));
          expect(Buffer.compare(buffer!, Buffer.concat(pieces))).toBe(0);
          found.push(buffer!.buffer === memory);
        }
      }
      expect(found).toEqual(isShared);
    }
  });

  test('throws the error of a shard that fails, after the requests that were full before it', async () => {
    const failing = (span: OpenSpan) => {
      if (span.index === 1) throw new Error('no such column');
      return ['id'];
    };
    const requests = planRequests(spansOf([210, 70], [10, 10]), failing);
    for (const rowGroup of [0, 1]) {
      expect((await requests.next()).value!.rowGroups.map(({ reads }) => reads.rowGroup)).toEqual([rowGroup]);
    }
    await expect(requests.next()).rejects.toThrow('no such column');
  });
});
