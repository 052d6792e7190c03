import {
  Bool,
  Decimal,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  LargeBinary,
  LargeUtf8,
  List,
  makeData,
  Struct,
  TimeMicrosecond,
  Utf8,
  Utf8View,
} from 'apache-arrow';
import { describe, expect, test, vi } from 'vitest';
import { PredictionWriter, type PredictionWriterOptions } from '../../lib/arrow/predictionWriter.ts';
import { memoryAtomicFile } from './memoryAtomicFile.ts';
import { batchOf, metadata, scoreColumns } from './writtenBatches.ts';

describe('refusals', () => {
  const id = new Field('id', new Int64(), false);
  const open = (keyFields: Field[], options: Partial<PredictionWriterOptions> = {}) =>
    PredictionWriter.open({ file: memoryAtomicFile(), keyFields, metadata, ...options });
  const idData = (rowCount: number) => makeData({ type: new Int64(), data: new BigInt64Array(rowCount) });

  test.each([
    new Dictionary(new Utf8(), new Int32()),
    new Utf8View(),
    new List(new Field('item', new Int32())),
    new Struct([new Field('x', new Int32())]),
    // Flat, but a contract takes none of them either.
    new Float64(),
    new Bool(),
    new LargeUtf8(),
    new LargeBinary(),
    new Decimal(2, 20, 128),
    new TimeMicrosecond(),
  ])('%s is no row key', async (type) => {
    await expect(open([new Field('key', type, true)])).rejects.toMatchObject({
      code: 'PREDICTION_KEY_UNSUPPORTED',
      location: { column: 'key' },
    });
  });

  test('a key named like a score column, or twice, is refused', async () => {
    await expect(open([new Field('pctr', new Int64())])).rejects.toMatchObject({
      code: 'PREDICTION_COLUMN_CLASH',
    });
    await expect(open([id, id])).rejects.toMatchObject({ code: 'PREDICTION_COLUMN_CLASH' });
  });

  test('a batch with a missing column, another type, nulls in a non-null key, or other lengths is refused whole', async () => {
    const writer = await open([id]);
    const columns = scoreColumns(0, 4);
    const int32 = makeData({ type: new Int32(), data: new Int32Array(4) });
    const withNulls = makeData({
      type: new Int64(),
      data: new BigInt64Array(4),
      nullBitmap: Uint8Array.of(0b1101),
    });
    const mismatch = (column: string, expected: string, found: string) => ({
      code: 'PREDICTION_KEY_MISMATCH',
      location: { file: 'memory.arrow', column },
      expected,
      found,
    });
    await expect(writer.write({ keys: [], ...columns })).rejects.toMatchObject(
      mismatch('id', 'Int64', 'no such column'),
    );
    await expect(
      writer.write({ keys: batchOf([new Field('key', new Int64())], [idData(4)]), ...columns }),
    ).rejects.toMatchObject(mismatch('id', 'Int64', 'no such column'));
    await expect(writer.write({ keys: [int32], ...columns })).rejects.toMatchObject(
      mismatch('id', 'Int64', 'Int32'),
    );
    await expect(writer.write({ keys: [withNulls], ...columns })).rejects.toMatchObject(
      mismatch('id', 'no nulls', '1 nulls'),
    );
    await expect(writer.write({ keys: [idData(3)], ...columns })).rejects.toMatchObject(
      mismatch('id', '4 rows', '3 rows'),
    );
    await expect(
      writer.write({ keys: [idData(4)], ...columns, pcvr: new Float32Array(5) }),
    ).rejects.toMatchObject(mismatch('pcvr', '4 rows', '5 rows'));
    await writer.write({ keys: [idData(4)], ...columns });
    expect(await writer.finish()).toMatchObject({ rowCount: 4 });
  });

  test('rows that the Arrow writer leaves out silently are an error', async () => {
    const writer = await open([id]);
    const { RecordBatchWriter } = await import('apache-arrow');
    const ignore = vi.spyOn(RecordBatchWriter.prototype, 'write').mockImplementation(() => undefined);
    try {
      await expect(writer.write({ keys: [idData(4)], ...scoreColumns(0, 4) })).rejects.toMatchObject({
        code: 'PREDICTION_ROWS_LOST',
        expected: '4 rows',
        found: '0 rows',
      });
    } finally {
      ignore.mockRestore();
    }
  });

  test('nothing can be written after finish or abort, and abort removes the file', async () => {
    const file = memoryAtomicFile();
    const writer = await open([id], { file });
    await writer.finish();
    const closed = { code: 'PREDICTION_WRITER_CLOSED' };
    await expect(writer.write({ keys: [idData(4)], ...scoreColumns(0, 4) })).rejects.toMatchObject(closed);
    await expect(writer.finish()).rejects.toMatchObject(closed);
    await writer.abort();
    expect(file.wasAborted).toBe(true);
    const aborted = await open([id]);
    await aborted.abort();
    await expect(aborted.write({ keys: [idData(4)], ...scoreColumns(0, 4) })).rejects.toMatchObject(closed);
    await expect(aborted.finish()).rejects.toMatchObject(closed);
  });

  test('a failing file fails the write with its own error', async () => {
    const failure = new Error('disk full');
    const file = memoryAtomicFile();
    const writer = await open([id], { file });
    file.write = async () => {
      throw failure;
    };
    await expect(writer.write({ keys: [idData(4)], ...scoreColumns(0, 4) })).rejects.toBe(failure);
    await expect(open([id], { file })).rejects.toBe(failure);
  });
});
