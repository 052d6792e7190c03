import { type Data, Field, Int32, Int64, makeData, type RecordBatch, tableFromIPC, Utf8 } from 'apache-arrow';
import pl from 'nodejs-polars';
import { describe, expect, test } from 'vitest';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import { type KeyColumn, keyColumns, keyData } from './keyColumns.ts';
import { memoryAtomicFile } from './memoryAtomicFile.ts';
import { batchOf, metadata, scoreColumns, scores } from './writtenBatches.ts';

/** Writes rows 0 to the last bound, one batch between two bounds. */
async function writeFile(
  columns: readonly KeyColumn[],
  bounds: readonly number[],
  keysOf = (rowStart: number, rowEnd: number): RecordBatch | Data[] =>
    columns.map((column) => keyData(column, rowStart, rowEnd)),
) {
  const file = memoryAtomicFile();
  const keyFields = columns.map((column) => column.field);
  const writer = await PredictionWriter.open({ file, keyFields, metadata });
  for (let i = 1; i < bounds.length; i++) {
    const [start, end] = [bounds[i - 1]!, bounds[i]!];
    await writer.write({ keys: keysOf(start, end), ...scoreColumns(start, end) });
  }
  return { file, ...(await writer.finish()) };
}

/** Values compared as text: bytes as hex, dates as milliseconds, everything else as it prints. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array || value instanceof Uint32Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  }
  if (value instanceof Date) return value.getTime();
  return typeof value === 'bigint' ? String(value) : value;
}

function expectAllRows(bytes: Uint8Array, columns: readonly KeyColumn[], rowCount: number): void {
  const table = tableFromIPC(bytes);
  expect(table.numRows).toBe(rowCount);
  for (const { field, valueAt } of columns) {
    const vector = table.getChild(field.name)!;
    const expected = Array.from({ length: rowCount }, (_, row) => comparable(valueAt(row)));
    expect({ [field.name]: Array.from(vector, comparable) }).toEqual({ [field.name]: expected });
  }
  for (const [column, name] of ['pctr', 'pcvr', 'pctcvr'].entries()) {
    const vector = table.getChild(name)!;
    expect(vector.nullCount).toBe(0);
    expect(vector.toArray()).toEqual(scores(0, rowCount, column));
  }
}

describe('read back by apache-arrow', () => {
  test('keys of every type come back untouched, with their nulls, types and nullability', async () => {
    const { file, rowCount, sizeBytes } = await writeFile(keyColumns, [0, 100]);
    expect({ rowCount, sizeBytes }).toEqual({ rowCount: 100, sizeBytes: file.bytes().length });
    expectAllRows(file.bytes(), keyColumns, 100);
    const { schema } = tableFromIPC(file.bytes());
    expect(schema.fields.map(String)).toEqual([
      ...keyColumns.map(({ field }) => String(field)),
      'pctr: Float32',
      'pcvr: Float32',
      'pctcvr: Float32',
    ]);
    expect(schema.fields.map((field) => field.nullable)).toEqual([
      ...keyColumns.map(({ field }) => field.nullable),
      false,
      false,
      false,
    ]);
    expect(schema.metadata).toEqual(metadata);
  });

  test('many batches of different sizes, empty ones among them, keep every row in order', async () => {
    const { file, rowCount } = await writeFile(keyColumns, [0, 1, 1, 9, 73, 74, 74, 300]);
    expect(rowCount).toBe(300);
    expectAllRows(file.bytes(), keyColumns, 300);
    expect(tableFromIPC(file.bytes()).batches.map((batch) => batch.numRows)).toEqual([1, 8, 64, 1, 226]);
  });

  test('sliced batches write the rows of the slice, at offsets that are no multiple of 8', async () => {
    const whole = batchOf(
      keyColumns.map(({ field }) => field),
      keyColumns.map((column) => keyData(column, 0, 100)),
    );
    const { file } = await writeFile(keyColumns, [0, 13, 50, 100], (start, end) => whole.slice(start, end));
    expectAllRows(file.bytes(), keyColumns, 100);
  });

  test('key columns are taken by name from a batch in another order with other columns', async () => {
    const [id, , , , utf8] = keyColumns as [KeyColumn, ...KeyColumn[]];
    const other = { field: new Field('label', new Int32(), true), valueAt: (row: number) => row };
    const { file } = await writeFile([utf8!, id], [0, 20], (start, end) => {
      const columns = [id, other, utf8!];
      return batchOf(
        columns.map(({ field }) => field),
        columns.map((column) => keyData(column, start, end)),
      );
    });
    expectAllRows(file.bytes(), [utf8!, id], 20);
  });

  test('a batch without nulls and one with only nulls go into the same nullable column', async () => {
    const field = new Field('key', new Utf8(), true);
    const column = { field, valueAt: (row: number) => (row < 10 ? `k${row}` : null) };
    const { file } = await writeFile([column], [0, 10, 20]);
    expectAllRows(file.bytes(), [column], 20);
  });

  test.each([[[0]], [[0, 0]]])(
    'no rows (bounds %j) are a valid file with schema and metadata',
    async (bounds) => {
      const { file, rowCount } = await writeFile(keyColumns, bounds);
      expect(rowCount).toBe(0);
      const table = tableFromIPC(file.bytes());
      expect(table.numRows).toBe(0);
      expect(table.schema.fields).toHaveLength(keyColumns.length + 3);
      expect(table.schema.metadata).toEqual(metadata);
      expect(pl.readIPC(file.bytes()).shape).toEqual({ height: 0, width: keyColumns.length + 3 });
    },
  );

  test('columns above the size of a small write that need padding come back whole', async () => {
    const id = { field: new Field('id', new Int32(), false), valueAt: (row: number) => row };
    const { file } = await writeFile([id], [0, 20_001, 40_004]);
    expectAllRows(file.bytes(), [id], 40_004);
  });

  test('bytes reach the file with every write, in few calls, and the memory may be reused after it', async () => {
    const file = memoryAtomicFile();
    const keyFields = [new Field('id', new Int64(), false)];
    const writer = await PredictionWriter.open({ file, keyFields, metadata });
    const ids = new BigInt64Array(50_000);
    const [pctr, pcvr, pctcvr] = [0, 1, 2].map(() => new Float32Array(50_000)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < 4; i++) {
      ids.fill(BigInt(i));
      for (const column of [pctr, pcvr, pctcvr]) column.fill(i / 4);
      const before = file.bytes().length;
      await writer.write({ keys: [makeData({ type: new Int64(), data: ids })], pctr, pcvr, pctcvr });
      expect(file.bytes().length - before).toBeGreaterThanOrEqual(50_000 * (8 + 3 * 4));
    }
    await writer.finish();
    // Large columns go out as they are; what is small is gathered, so that no two small writes follow each other.
    const writesOf = (sizeBytes: number) => file.writeSizes.filter((size) => size === sizeBytes).length;
    expect([writesOf(400_000), writesOf(200_000)]).toEqual([4, 12]);
    const isSmall = file.writeSizes.map((size) => size < 64 * 1024);
    // The schema, which `open` writes, and the first batch's header.
    expect(isSmall.flatMap((small, i) => (small && isSmall[i - 1] ? [i] : []))).toEqual([1]);
    expect(Math.min(...file.writeSizes)).toBeGreaterThan(0);
    const table = tableFromIPC(file.bytes());
    expect(table.numRows).toBe(200_000);
    for (let i = 0; i < 4; i++) {
      expect(table.getChild('id')!.get(50_000 * i)).toBe(BigInt(i));
      expect(table.getChild('pctcvr')!.get(50_000 * (i + 1) - 1)).toBe(i / 4);
    }
  });
});

describe('read back by polars', () => {
  /** How each key reads after polars' own cast to text or integer; columns left out can't be cast there. */
  const casts: Readonly<Record<string, pl.DataType>> = {
    id: pl.Utf8,
    int32: pl.Int32,
    uint8: pl.Int32,
    uint64: pl.Utf8,
    utf8: pl.Utf8,
    date: pl.Int32,
    date_ms: pl.Int64,
    micros: pl.Int64,
    nanos: pl.Int64,
  };
  /** Stored units of what the test gives as milliseconds. */
  const perMilli: Readonly<Record<string, number>> = { date: 1 / 86_400_000, micros: 1000, nanos: 1_000_000 };

  test.each([[[0, 100]], [[0, 13, 50, 51, 100]]])(
    'values and nulls are the same (batch bounds %j)',
    async (bounds) => {
      const whole = batchOf(
        keyColumns.map(({ field }) => field),
        keyColumns.map((column) => keyData(column, 0, 100)),
      );
      const { file } = await writeFile(keyColumns, bounds, (start, end) => whole.slice(start, end));
      const frame = pl.readIPC(file.bytes());
      expect(frame.shape).toEqual({ height: 100, width: keyColumns.length + 3 });
      for (const { field, valueAt } of keyColumns) {
        const { name } = field;
        const rows = Array.from({ length: 100 }, (_, row) => comparable(valueAt(row)));
        expect({ [name]: frame.getColumn(name).nullCount() }).toEqual({
          [name]: rows.filter((value) => value === null).length,
        });
        const cast = casts[name];
        if (cast === undefined) continue;
        const expected = rows.map((value) =>
          typeof value === 'number' && name in perMilli ? value * perMilli[name]! : value,
        );
        const found = frame.getColumn(name).cast(cast).toArray();
        expect({ [name]: found.map((value) => value ?? null) }).toEqual({ [name]: expected });
      }
      for (const [column, name] of ['pctr', 'pcvr', 'pctcvr'].entries()) {
        expect(Float32Array.from(frame.getColumn(name).toArray())).toEqual(scores(0, 100, column));
        expect(frame.getColumn(name).dtype).toEqual(pl.Float32);
      }
    },
  );
});
