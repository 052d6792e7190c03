import pl from 'nodejs-polars';
import { expect } from 'vitest';
import { SharedMemory } from '../../lib/parquet/columnMemory.ts';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { decodeDictionaryColumns } from '../../lib/parquet/dictionaryColumns.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import { type ReadRowGroupBytes, rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { shareColumn } from '../../lib/parquet/sharedColumns.ts';
import { memoryFile } from './memoryFile.ts';
import { plainRows } from './plainValues.ts';

export async function readAll(bytes: Uint8Array, uri = 'shard'): Promise<ReadRowGroupBytes[]> {
  const shard = await openShard(memoryFile(bytes, uri));
  const names = shard.schema.fields.map(({ name }) => name);
  const read = [...shard.rowGroups.keys()].map(async (rowGroup) => {
    const reads = rowGroupReads(shard, rowGroup, names);
    return { uri, reads, buffer: await readRanges(shard.file, reads) };
  });
  return (await Promise.all(read)).filter(({ reads }) => reads.rowCount > 0);
}

export const namesOf = (rowGroups: readonly ReadRowGroupBytes[]) =>
  new Set(rowGroups.flatMap(({ reads }) => reads.columns.map(({ column }) => column.name)));

/** Names of the columns that came back as dictionaries, after a check of all columns against what arrow-rs makes of them. */
export function checkAgainstArrow(rowGroups: readonly ReadRowGroupBytes[], batchRows = 65_536): string[] {
  const dictionaries = namesOf(rowGroups);
  const expected = decodeRowGroups(rowGroups, { batchRows });
  const found = decodeRowGroups(rowGroups, { batchRows, dictionaries });
  const rowsOf = (batches: typeof found) => batches.flatMap((batch) => plainRows(batch));
  expect(rowsOf(found)).toEqual(rowsOf(expected));
  expect(found.map(({ numRows }) => numRows)).toEqual(expected.map(({ numRows }) => numRows));
  const fieldsOf = ([batch]: typeof found) =>
    batch?.schema.fields.map(({ name, nullable }) => [name, nullable]);
  expect(fieldsOf(found)).toEqual(fieldsOf(expected));
  const inShared = decodeRowGroups(rowGroups, { batchRows, dictionaries, into: spoiled() });
  expect(rowsOf(inShared)).toEqual(rowsOf(expected));
  for (const { data } of decodeDictionaryColumns(
    rowGroups,
    dictionaries,
    new ReusedMemory(),
    spoiled(),
  ).values()) {
    const [indices, all] = [data, shareColumn(data, new SharedMemory())].map(
      ({ children: [element], ...flat }) => element ?? flat,
    );
    expect(indices!.values?.buffer).toBeInstanceOf(SharedArrayBuffer);
    // Taken as they are, not copied.
    expect(all!.values).toBe(indices!.values);
  }
  return [...decodeDictionaryColumns(rowGroups, dictionaries, new ReusedMemory()).keys()];
}

/** Memory that others have used. */
function spoiled(): SharedMemory {
  const spare = Array.from({ length: 40 }, (_, at) => new SharedArrayBuffer(60_000 + 3000 * at));
  for (const bytes of spare) new Uint8Array(bytes).fill(0xa5);
  return new SharedMemory(spare);
}

export const ROWS = 3000;
export const rowNumbers = Array.from({ length: ROWS }, (_, row) => row);

/** A shard of polars: every type that features can have, with and without nulls, empty lists, and null elements. */
export function polarsShard(
  compression: 'zstd' | 'snappy' | 'gzip' | 'lz4' | 'uncompressed',
  start = 0,
  end = ROWS,
): Buffer {
  const some = rowNumbers.slice(start, end);
  const orNull = <T>(value: T, row: number, every: number) => (row % every === 0 ? null : value);
  const frame = pl.DataFrame({
    id: pl.Series(
      'id',
      some.map((row) => BigInt(row) * 1_000_003n),
      pl.Int64,
    ),
    user: pl.Series(
      'user',
      some.map((row) => row % 37),
      pl.Int64,
    ),
    tab: pl.Series(
      'tab',
      some.map((row) => orNull(row % 5, row, 11)),
      pl.Int32,
    ),
    same: pl.Series(
      'same',
      some.map(() => 7),
      pl.Int32,
    ),
    small: pl.Series(
      'small',
      some.map((row) => (row % 256) - 128),
      pl.Int8,
    ),
    large: pl.Series(
      'large',
      some.map((row) => 4_294_967_295 - (row % 9)),
      pl.UInt32,
    ),
    city: pl.Series(
      'city',
      some.map((row) => orNull(`Zürich ${row % 700}`, row, 3)),
      pl.Utf8,
    ),
    price: pl.Series(
      'price',
      some.map((row) => orNull(row / 8, row, 1000)),
      pl.Float64,
    ),
    share: pl.Series(
      'share',
      some.map((row) => (row % 100) / 100),
      pl.Float32,
    ),
    click: pl.Series(
      'click',
      some.map((row) => row % 2 === 0),
      pl.Bool,
    ),
    seen: pl.Series(
      'seen',
      some.map((row) => Array.from({ length: row % 6 }, (_, at) => (row * 31 + at) % 900)),
      pl.List(pl.Int64),
    ),
    tags: pl.Series(
      'tags',
      some.map((row) =>
        orNull(
          Array.from({ length: row % 4 }, (_, at) => `tag ${(row + at) % 50}`),
          row,
          7,
        ),
      ),
      pl.List(pl.Utf8),
    ),
  });
  return frame.writeParquet({ compression } as never) as unknown as Buffer;
}
