import {
  Bool,
  type Data,
  type DataType,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  Float16,
  Int32,
  Int64,
  List,
  makeData,
  Null,
  RecordBatch,
  Schema,
  Struct,
  TimestampMicrosecond,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { expect, test } from 'vitest';
import { SharedMemory } from '../../lib/parquet/columnMemory.ts';
import { columnOfShared, shareColumn } from '../../lib/parquet/sharedColumns.ts';
import { sliceBatches } from '../../lib/scoring/sliceBatches.ts';

const texts = new Dictionary(new Utf8(), new Int32());

/** A type as it is read, values of it, and the type that they are decoded to where that is another one. */
const COLUMNS: [DataType, readonly unknown[], DataType?][] = [
  [new Null(), [null, null, null, null, null, null]],
  [new Bool(), [true, null, false, true, true, null]],
  [new Int64(), [1n, null, -3n, 2n ** 62n, null, 6n]],
  [new Float16(), [0.5, null, -2, 1, 8, null]],
  [new Decimal(3, 20, 128), [Uint32Array.of(1, 2, 3, 4), null, null, Uint32Array.of(4, 3, 2, 1), null, null]],
  [new FixedSizeBinary(2), [Uint8Array.of(1, 2), null, Uint8Array.of(3, 4), null, null, Uint8Array.of(5, 6)]],
  [new TimestampMicrosecond(), [1, null, 3, 4, 5, 6]],
  [new Utf8(), ['', null, 'wörd', 'a', 'b', null]],
  [new Utf8(), ['a', null, 'b', 'a', 'b', null], texts],
  [new Utf8(), [null, null, null, null, null, null], texts],
  [listOf(new Int64()), [[1n, null], null, [], [2n], null, [3n]]],
  [listOf(new Int64()), [[], [], null, [], [], []]],
];

function listOf(type: DataType): List {
  return new List(new Field('item', type, true));
}

function batchOf(data: Data): RecordBatch {
  const fields = [new Field('values', data.type as DataType, true)];
  const struct = makeData({ type: new Struct(fields), length: data.length, nullCount: 0, children: [data] });
  return new RecordBatch(new Schema(fields), struct);
}

function valuesOf(data: Data): unknown[] {
  return JSON.parse(
    JSON.stringify([...new Vector([data])], (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
  );
}

test.each(COLUMNS)(
  '%s has its values in other threads, and so have its slices',
  (type, values, decodedTo) => {
    const spare = [10, 100, 100_000].map((sizeBytes) => new SharedArrayBuffer(sizeBytes));
    for (const bytes of spare) new Uint8Array(bytes).fill(0xa5);
    const memory = new SharedMemory(spare);
    const decoded = vectorFromArray(values as never[], decodedTo ?? type).data[0]!;
    const shared = columnOfShared(structuredClone(shareColumn(decoded, memory)), type);
    expect(valuesOf(shared)).toEqual(valuesOf(decoded));
    for (const [start, end] of [
      [0, 3],
      [1, 5],
      [4, 6],
    ] as const) {
      const [slice] = sliceBatches([batchOf(shared)], start, end);
      expect(valuesOf(slice!.data.children[0]!)).toEqual(valuesOf(decoded.slice(start, end - start)));
    }
  },
);
