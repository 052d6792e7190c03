import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { memoryFile, sharedData } from './memoryFile.ts';
import { withMetadata, writeShard } from './sampleShards.ts';

const LARGEST = 2n ** 63n - 1n;
const SMALLEST = -(2n ** 63n);
const DAY = 86_400_000_000_000n;

/** The 12 bytes that writers of INT96 give to nanoseconds since 1970. */
function int96(nanoseconds: bigint): Uint8Array {
  const ofDay = ((nanoseconds % DAY) + DAY) % DAY;
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, ofDay, true);
  view.setInt32(8, Number((nanoseconds - ofDay) / DAY) + 2_440_588, true);
  return bytes;
}

/** A shard with an INT96 column `at` between two others. No writer at hand knows INT96, whose pages are those of 12 bytes. */
function int96Shard(times: readonly (bigint | null)[], rowGroupSize = 100): Uint8Array {
  const numbers = times.map((_, row) => row);
  const bytes = writeShard(
    [
      { name: 'before', data: numbers },
      { name: 'at', data: times.map((time) => (time === null ? null : int96(time))) },
      { name: 'after', data: numbers },
    ],
    {
      rowGroupSize,
      schema: [
        { name: 'root', num_children: 3 },
        { name: 'before', type: 'INT32', repetition_type: 'REQUIRED' },
        { name: 'at', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 12, repetition_type: 'OPTIONAL' },
        { name: 'after', type: 'INT32', repetition_type: 'REQUIRED' },
      ],
    },
  );
  return withMetadata(bytes, ({ schema, row_groups: groups }) => {
    delete schema[2]!.type_length;
    schema[2]!.type = 'INT96';
    for (const { columns } of groups) columns[1]!.meta_data!.type = 'INT96';
  });
}

async function readTimes(bytes: Uint8Array, batchRows = 65_536): Promise<(bigint | null)[]> {
  const times: (bigint | null)[] = [];
  const shard = await openShard(memoryFile(bytes));
  for await (const { batch } of readRecordBatches(shard, ['after', 'at'], { batchRows })) {
    expect(String(batch.schema.fields[1])).toBe(String(shard.schema.fields[1]));
    const { values } = batch.data.children[1]!;
    for (let row = 0; row < batch.numRows; row++) {
      times.push(batch.getChildAt(1)!.get(row) === null ? null : (values as BigInt64Array)[row]!);
    }
  }
  return times;
}

const failureOf = (bytes: Uint8Array, batchRows?: number): Promise<Ncs4cvrError> =>
  readTimes(bytes, batchRows).then(
    () => expect.unreachable('nothing was refused'),
    (error: unknown) => error as Ncs4cvrError,
  );

describe('INT96 timestamps', () => {
  it('are read to the nanosecond, at both ends of their range, with nulls, in any batches', async () => {
    const time = fc.oneof(
      fc.bigInt({ min: SMALLEST, max: LARGEST }),
      fc.constantFrom(SMALLEST, SMALLEST + 1n, -DAY, -1n, 0n, DAY - 1n, DAY, LARGEST - 1n, LARGEST),
    );
    const times = fc.array(fc.option(time, { freq: 5 }), { minLength: 1, maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(times, fc.integer({ min: 1, max: 70 }), async (written, batchRows) => {
        expect(await readTimes(int96Shard(written, 25), batchRows)).toEqual(written);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['9999-12-31', 253_402_214_400_000_000_000n, '9999-12-31'],
    ['the nanosecond after the last', LARGEST + 1n, '2262-04-11'],
    ['the nanosecond before the first', SMALLEST - 1n, '1677-09-21'],
  ])('are refused beyond the range: %s', async (_, outside, date) => {
    const times = Array.from({ length: 30 }, (_value, row) => (row === 17 ? outside : BigInt(row)));
    // Rows 10 to 19 are row group 1, decoded in batches of three.
    const error = await failureOf(int96Shard(times, 10), 3);
    expect(error).toBeInstanceOf(Ncs4cvrError);
    expect([error.code, error.location]).toEqual([
      'SHARD_TIMESTAMP_RANGE',
      { file: 'memory.parquet', rowGroup: 1, column: 'at' },
    ]);
    expect(error.found).toBe(`${date} in row 7 of the row group`);
  });

  const night = `${sharedData}nights/int96/days/dt=2024-03-04/p.parquet`;
  it.skipIf(!existsSync(night))(
    'of ../shared/data/nights/int96 are refused (skipped without it)',
    async () => {
      const shard = await openShard(memoryFile(readFileSync(night)));
      const read = async () => {
        for await (const { batch } of readRecordBatches(shard, ['key', 'ts'])) expect(batch.numRows).toBe(-1);
      };
      await expect(read()).rejects.toMatchObject({
        code: 'SHARD_TIMESTAMP_RANGE',
        location: { column: 'ts' },
      });
    },
  );
});

it('reports every INT96 that is out of range, by its row, where single values may be left out', async () => {
  const times = [0n, LARGEST + 1n, null, SMALLEST - 1n, 7n, LARGEST];
  const shard = await openShard(memoryFile(int96Shard(times)));
  const reads = rowGroupReads(shard, 0, ['after', 'at']);
  const rowGroup = { uri: shard.uri, reads, buffer: await readRanges(shard.file, reads) };
  const cells: object[] = [];
  // Batches of two rows: a row is counted from the row group's first.
  const batches = decodeRowGroups([rowGroup], {
    batchRows: 2,
    onBadCell: (of, cell) => cells.push({ isIt: of === rowGroup, ...cell }),
  });
  const common = { isIt: true, column: 'at', reason: 'TIMESTAMP_RANGE' };
  expect(cells).toEqual([
    { ...common, row: 1, value: expect.stringMatching(/^2262-04-11 \+ \d+ ns$/) },
    { ...common, row: 3, value: expect.stringMatching(/^1677-09-21 \+ \d+ ns$/) },
  ]);
  const found = batches.flatMap((batch) =>
    Array.from({ length: batch.numRows }, (_, row) =>
      batch.getChildAt(1)!.get(row) === null ? null : (batch.data.children[1]!.values as BigInt64Array)[row]!,
    ),
  );
  expect([0, 2, 4, 5].map((row) => found[row])).toEqual([0n, null, 7n, LARGEST]);
});
