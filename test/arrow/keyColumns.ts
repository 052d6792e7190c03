import {
  Binary,
  type Data,
  type DataType,
  DateDay,
  DateMillisecond,
  Field,
  FixedSizeBinary,
  Int32,
  Int64,
  TimestampMicrosecond,
  TimestampNanosecond,
  Uint8,
  Uint64,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';

export interface KeyColumn {
  readonly field: Field;
  /** Row values as apache-arrow takes them; null marks a missing key. */
  readonly valueAt: (row: number) => unknown;
}

function key(name: string, type: DataType, valueAt: (row: number) => unknown, nullable = true): KeyColumn {
  return {
    field: new Field(name, type, nullable),
    valueAt: (row) => (nullable && row % 7 === 3 ? null : valueAt(row)),
  };
}

/** One column of every type that keys may have, with a null in every seventh row but for the first column. */
export const keyColumns: readonly KeyColumn[] = [
  key('id', new Int64(), (row) => 2n ** 62n + BigInt(row), false),
  key('int32', new Int32(), (row) => 50 - row),
  key('uint8', new Uint8(), (row) => row % 256),
  key('uint64', new Uint64(), (row) => 2n ** 64n - 1n - BigInt(row)),
  key('utf8', new Utf8(), (row) => 'é𐀀x'.repeat(row % 4) + row),
  key('binary', new Binary(), (row) => Uint8Array.of(0, 255, row % 256).subarray(0, row % 4)),
  key('fixed', new FixedSizeBinary(3), (row) => Uint8Array.of(row % 256, 0, 255)),
  key('date', new DateDay(), (row) => new Date(86_400_000 * (19_000 + row))),
  key('date_ms', new DateMillisecond(), (row) => new Date(86_400_000 * (19_000 + row))),
  key('micros', new TimestampMicrosecond('UTC'), (row) => 1_650_000_000_000 + row),
  // Multiples of 4 ms: apache-arrow goes through a double, which holds only multiples of 256 ns there.
  key('nanos', new TimestampNanosecond(), (row) => 1_650_000_000_000 + 4 * row),
];

export function keyData({ field, valueAt }: KeyColumn, rowStart: number, rowEnd: number): Data {
  const values = Array.from({ length: rowEnd - rowStart }, (_, i) => valueAt(rowStart + i));
  return vectorFromArray(values, field.type).data[0]!;
}
