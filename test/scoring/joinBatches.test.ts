import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  FixedSizeBinary,
  Float64,
  Int8,
  Int64,
  Null,
  RecordBatch,
  Table,
  TimestampMicrosecond,
  tableFromIPC,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { joinBatches } from '../../lib/scoring/joinBatches.ts';
import { sliceBatches } from '../../lib/scoring/sliceBatches.ts';

const bytes = (...values: number[]) => Uint8Array.of(...values);
const COLUMNS: readonly (readonly [DataType, readonly unknown[]])[] = [
  [new Int64(), [2n ** 60n, null, -1n, 4n, 5n, null, 7n, 8n, 9n, 10n]],
  [new Int8(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  [new Float64(), [0.5, -0, null, 4, 5, 6, 7, 8, null, 1e300]],
  [new Bool(), [true, false, null, true, true, false, true, null, false, true]],
  [new Utf8(), ['a', '', null, 'é𐀀', 'long text', null, '', 'b', 'c', 'd']],
  [
    new Binary(),
    [bytes(1), bytes(), null, bytes(2, 3), bytes(4), bytes(5), null, bytes(6), bytes(7), bytes(8, 9)],
  ],
  [new FixedSizeBinary(2), Array.from({ length: 10 }, (_, row) => (row === 3 ? null : bytes(row, 255)))],
  [new DateDay(), Array.from({ length: 10 }, (_, row) => (row === 9 ? null : new Date(86_400_000 * row)))],
  [new TimestampMicrosecond(), Array.from({ length: 10 }, (_, row) => (row === 0 ? null : new Date(row)))],
  [new Decimal(2, 10, 128), Array.from({ length: 10 }, (_, row) => Uint32Array.of(row, 0, 0, 0))],
  [new Null(), new Array(10).fill(null)],
];

describe('joinBatches', () => {
  test.each(COLUMNS.map(([type, values]) => [String(type), type, values] as const))(
    'keeps the values and nulls of %s, of slices too, and writes the same bytes however they were cut',
    (_, type, values) => {
      const whole = new RecordBatch({ column: vectorFromArray(values as unknown[], type).data[0]! });
      const written = [[10], [3, 7], [1, 1, 8], [9, 1]].map((cut) => {
        let end = 0;
        const pieces = cut.flatMap((rows) => {
          const start = end;
          end += rows;
          return sliceBatches([whole], start, end);
        });
        const joined = joinBatches(pieces);
        expect(joined.numRows).toBe(10);
        return tableToIPC(new Table([joined]));
      });
      const textsOf = (batch: RecordBatch) => [...batch.getChild('column')!].map(String);
      for (const stream of written) {
        expect(textsOf(tableFromIPC(stream).batches[0]!)).toEqual(textsOf(whole));
        expect(Buffer.compare(stream, written[1]!)).toBe(0);
      }
    },
  );
});
