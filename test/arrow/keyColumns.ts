import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  Field,
  FixedSizeBinary,
  Float64,
  Int32,
  Int64,
  LargeBinary,
  LargeUtf8,
  TimeMicrosecond,
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
  key('float64', new Float64(), (row) => row / 3),
  key('bool', new Bool(), (row) => row % 3 === 0),
  key('utf8', new Utf8(), (row) => 'é𐀀x'.repeat(row % 4) + row),
  key('large_utf8', new LargeUtf8(), (row) => `large ${row}`),
  key('large_binary', new LargeBinary(), (row) => Uint8Array.of(row % 256, 7).subarray(0, row % 3)),
  key('binary', new Binary(), (row) => Uint8Array.of(0, 255, row % 256).subarray(0, row % 4)),
  key('fixed', new FixedSizeBinary(3), (row) => Uint8Array.of(row % 256, 0, 255)),
  key('decimal', new Decimal(2, 20, 128), (row) => Uint32Array.of(row, 0, 0, 0)),
  key('date', new DateDay(), (row) => new Date(86_400_000 * (19_000 + row))),
  key('date_ms', new DateMillisecond(), (row) => new Date(86_400_000 * (19_000 + row))),
  key('time', new TimeMicrosecond(), (row) => 1_000_000n * BigInt(row)),
  key('micros', new TimestampMicrosecond('UTC'), (row) => 1_650_000_000_000 + row),
  // Multiples of 4 ms: apache-arrow goes through a double, which holds only multiples of 256 ns there.
  key('nanos', new TimestampNanosecond(), (row) => 1_650_000_000_000 + 4 * row),
];

export function keyData({ field, valueAt }: KeyColumn, rowStart: number, rowEnd: number): Data {
  const values = Array.from({ length: rowEnd - rowStart }, (_, i) => valueAt(rowStart + i));
  return vectorFromArray(values, field.type).data[0]!;
}
