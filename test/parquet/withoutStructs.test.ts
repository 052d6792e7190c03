import {
  type Data,
  Field,
  FixedSizeList,
  Int32,
  makeData,
  Struct,
  Table,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import pl from 'nodejs-polars';
import { Table as ArrowRsTable, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges, readRowGroup } from '../../lib/parquet/readRowGroup.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { batchOf, int64Lists, int64s, strings } from '../features/arrowBatches.ts';
import { memoryFile } from './memoryFile.ts';

const ROWS = 300;
const COLUMNS = ['user.id', 'user.device.os', 'user.device.seen'] as const;

/** A nullable struct of columns. @param isPresent of each row */
function structOf(
  columns: Readonly<Record<string, Data>>,
  isPresent: (row: number) => boolean,
  nullable = true,
): Data {
  const children = Object.values(columns);
  const fields = Object.entries(columns).map(([name, { type }]) => new Field(name, type, nullable));
  const nullBitmap = new Uint8Array((ROWS + 7) >> 3);
  let nullCount = 0;
  for (let row = 0; row < ROWS; row++) {
    if (isPresent(row)) nullBitmap[row >> 3]! |= 1 << (row & 7);
    else nullCount++;
  }
  return makeData({ type: new Struct(fields), length: ROWS, nullCount, nullBitmap, children });
}

const rows = Array.from({ length: ROWS }, (_, row) => row);
const hasUser = (row: number) => row % 5 !== 0;
const hasDevice = (row: number) => row % 3 !== 0;

/** As arrow-rs writes it: a struct with nulls whose fields have none of their own, so that only the struct says what is null. */
function nestedShard(): Uint8Array {
  const device = structOf(
    {
      os: strings(rows.map((row) => `os ${row % 7}`)),
      seen: int64Lists(rows.map((row) => [row, row + 1].slice(0, row % 3))),
    },
    hasDevice,
    false,
  );
  const user = structOf({ id: int64s(rows), device }, hasUser);
  const batch = batchOf({ before: int64s(rows), user, after: strings(rows.map(String)) });
  const table = ArrowRsTable.fromIPCStream(tableToIPC(new Table(batch), 'stream'));
  return writeParquet(table, new WriterPropertiesBuilder().setMaxRowGroupSize(100).build());
}

const expected = rows.map((row) => ({
  'user.id': hasUser(row) ? BigInt(row) : null,
  'user.device.os': hasUser(row) && hasDevice(row) ? `os ${row % 7}` : null,
  'user.device.seen': hasUser(row) && hasDevice(row) ? [row, row + 1].slice(0, row % 3).map(BigInt) : null,
}));

const plain = (value: unknown): unknown =>
  value !== null && typeof value === 'object' ? [...(value as Iterable<unknown>)] : value;

describe('fields of structs', () => {
  it('are columns by their paths, null where a struct around them is', async () => {
    const shard = await openShard(memoryFile(nestedShard()));
    expect(shard.rowGroups).toHaveLength(3);
    expect(shard.schema.fields.map(({ name, type }) => [name, String(type)])).toEqual([
      ['before', 'Int64'],
      ['user', 'Struct<{id:Int64, device:Struct<{os:Utf8, seen:List<Int64>}>}>'],
      ['after', 'Utf8'],
      ['user.id', 'Int64'],
      ['user.device', 'Struct<{os:Utf8, seen:List<Int64>}>'],
      ['user.device.os', 'Utf8'],
      ['user.device.seen', 'List<Int64>'],
    ]);
    const found: object[] = [];
    for (const rowGroup of [0, 1, 2]) {
      for (const batch of await readRowGroup(shard, rowGroup, [...COLUMNS, 'before'])) {
        expect(batch.schema.fields.map(({ nullable }) => nullable)).toEqual([true, true, true, true]);
        for (let row = 0; row < batch.numRows; row++) {
          found.push(
            Object.fromEntries(COLUMNS.map((name) => [name, plain(batch.getChild(name)!.get(row))])),
          );
        }
      }
    }
    expect(found).toEqual(expected);
  });

  it('are read alone: none of the bytes of their neighbours, and beside dictionaries and bad cells', async () => {
    const shard = await openShard(memoryFile(nestedShard()));
    const one = rowGroupReads(shard, 1, ['user.id']);
    const all = rowGroupReads(shard, 1, ['user']);
    expect(one.columns[0]!.chunks).toHaveLength(1);
    expect(one.bufferBytes).toBe(
      rowGroupReads(shard, 1, ['user.id', 'user.device.os']).bufferBytes -
        rowGroupReads(shard, 1, ['user.device.os']).bufferBytes,
    );
    expect(one.bufferBytes).toBeLessThan(all.bufferBytes);
    const reads = rowGroupReads(shard, 1, ['user.id', 'after', 'user.device.os']);
    const buffer = await readRanges(shard.file, reads);
    const rowGroup = { uri: shard.uri, reads, buffer };
    const options = { dictionaries: new Set(['user.id', 'after']), onBadCell: () => undefined };
    const [batch] = decodeRowGroups([rowGroup, rowGroup], options);
    const column = (name: string) => [...batch!.getChild(name)!].map(plain);
    const of = (name: 'user.id' | 'user.device.os') => expected.slice(100, 200).map((row) => row[name]);
    expect(column('user.id')).toEqual([...of('user.id'), ...of('user.id')]);
    expect(column('user.device.os')).toEqual([...of('user.device.os'), ...of('user.device.os')]);
    expect(column('after').slice(0, 100)).toEqual(rows.slice(100, 200).map(String));
  });

  it('of polars are the same', async () => {
    const frame = pl.DataFrame({
      user: rows.map((row) => ({ id: row, device: { os: row % 3 === 1 ? null : `os ${row % 7}` } })),
    });
    const shard = await openShard(memoryFile(frame.writeParquet() as Buffer));
    const [batch] = await readRowGroup(shard, 0, ['user.device.os', 'user.id']);
    expect([...batch!.getChild('user.device.os')!]).toEqual(
      rows.map((row) => (row % 3 === 1 ? null : `os ${row % 7}`)),
    );
    expect([...batch!.getChild('user.id')!].map(Number)).toEqual(rows);
  });

  it('give way to a column that is called like their path', async () => {
    const user = structOf({ id: int64s(rows) }, () => true);
    const batch = batchOf({ 'user.id': strings(rows.map((row) => `own ${row}`)), user });
    const table = ArrowRsTable.fromIPCStream(tableToIPC(new Table(batch), 'stream'));
    const shard = await openShard(memoryFile(writeParquet(table, new WriterPropertiesBuilder().build())));
    expect(shard.schema.fields.map(({ name }) => name)).toEqual(['user.id', 'user']);
    const [read] = await readRowGroup(shard, 0, ['user.id']);
    expect(read!.getChild('user.id')!.get(7)).toBe('own 7');
  });
});

describe('lists of one length', () => {
  it('are lists like others, with their nulls', async () => {
    const type = new FixedSizeList(2, new Field('item', new Int32(), true));
    const values = [[1, 2], null, [3, null], [5, 6]];
    const pairs = vectorFromArray(values, type).data[0]!;
    const table = ArrowRsTable.fromIPCStream(tableToIPC(new Table(batchOf({ pairs })), 'stream'));
    const shard = await openShard(memoryFile(writeParquet(table, new WriterPropertiesBuilder().build())));
    expect(String(shard.schema.fields[0]!.type)).toBe('List<Int32>');
    const [batch] = await readRowGroup(shard, 0, ['pairs']);
    expect([...batch!.getChild('pairs')!].map(plain)).toEqual(values);
  });
});
