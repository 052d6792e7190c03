import { Field, Int64, makeData } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import { readPredictions } from '../../lib/arrow/readPredictions.ts';
import { StorageError } from '../../lib/base/errors.ts';
import { memoryAtomicFile, readableFile } from './memoryAtomicFile.ts';

async function predictionBytes(batchSizes: readonly number[]): Promise<Buffer> {
  const file = memoryAtomicFile();
  const keyFields = [new Field('id', new Int64(), false)];
  const writer = await PredictionWriter.open({ file, keyFields, metadata: new Map([['model', 'm1']]) });
  let rowStart = 0;
  for (const rowCount of batchSizes) {
    const ids = BigInt64Array.from({ length: rowCount }, (_, i) => BigInt(rowStart + i));
    const scores = Float32Array.from({ length: rowCount }, (_, i) => (rowStart + i) / 8);
    await writer.write({
      keys: [makeData({ type: new Int64(), data: ids })],
      pctr: scores,
      pcvr: scores,
      pctcvr: scores,
    });
    rowStart += rowCount;
  }
  await writer.finish();
  return file.bytes();
}

describe('readPredictions', () => {
  test('counts rows over all batches and gives the first ones, across a batch border', async () => {
    const found = await readPredictions(readableFile(await predictionBytes([2, 5, 1])), 3);
    expect(found).toMatchObject({ rowCount: 8, batchCount: 3, metadata: new Map([['model', 'm1']]) });
    expect(found.schema.fields.map(({ name }) => name)).toEqual(['id', 'pctr', 'pcvr', 'pctcvr']);
    expect(found.rows).toEqual(
      [0, 1, 2].map((row) => ({ id: BigInt(row), pctr: row / 8, pcvr: row / 8, pctcvr: row / 8 })),
    );
  });

  test('gives no rows unless asked, and never more than there are', async () => {
    const file = readableFile(await predictionBytes([2, 1]));
    expect((await readPredictions(file)).rows).toEqual([]);
    expect((await readPredictions(file, 9)).rows).toHaveLength(3);
  });

  test('a file without rows has a schema and no rows, also when rows are asked for', async () => {
    const found = await readPredictions(readableFile(await predictionBytes([])), 5);
    expect(found).toMatchObject({ rowCount: 0, batchCount: 0, rows: [] });
    expect(found.schema.fields).toHaveLength(4);
  });

  test('a file cut off anywhere is an error, never fewer rows', async () => {
    const bytes = await predictionBytes([2, 5, 1]);
    for (let sizeBytes = 0; sizeBytes < bytes.length; sizeBytes += 7) {
      await expect(readPredictions(readableFile(bytes.subarray(0, sizeBytes)))).rejects.toMatchObject({
        code: 'PREDICTION_FILE_INVALID',
        location: { file: 'memory.arrow' },
      });
    }
    // Two magics, the padding of one and the footer's length take 18 bytes.
    await expect(readPredictions(readableFile(bytes.subarray(0, 17)))).rejects.toMatchObject({
      expected: 'an Arrow IPC file',
      found: '17 bytes',
    });
    for (const sizeBytes of [18, bytes.length - 1]) {
      await expect(readPredictions(readableFile(bytes.subarray(0, sizeBytes)))).rejects.toMatchObject({
        expected: "'ARROW1' at the end",
        found: 'other bytes: it was cut off',
      });
    }
  });

  test('another file, and a footer length that can not be, are errors', async () => {
    const invalid = { code: 'PREDICTION_FILE_INVALID', location: { file: 'memory.arrow' } };
    await expect(readPredictions(readableFile(Buffer.from('PAR1'.repeat(20))))).rejects.toMatchObject({
      ...invalid,
      expected: "'ARROW1' at the start",
      found: 'other bytes',
    });
    const bytes = await predictionBytes([3]);
    const mostBytes = bytes.length - 18;
    const withFooterOf = (footerBytes: number) => {
      const damaged = Buffer.from(bytes);
      damaged.writeInt32LE(footerBytes, bytes.length - 10);
      return readPredictions(readableFile(damaged));
    };
    for (const footerBytes of [-1, 0, mostBytes + 1, 2 ** 31 - 1]) {
      await expect(withFooterOf(footerBytes)).rejects.toMatchObject({
        ...invalid,
        expected: `a footer of 1 to ${mostBytes} bytes`,
        found: String(footerBytes),
      });
    }
    for (const footerBytes of [1, mostBytes]) {
      await expect(withFooterOf(footerBytes)).rejects.toMatchObject({
        ...invalid,
        expected: 'an Arrow IPC file',
      });
    }
  });

  test('an error of the storage passes through', async () => {
    const file = readableFile(await predictionBytes([3]));
    const failure = new StorageError('STORAGE_FILE_CHANGED', 'changed');
    const readInto: typeof file.readInto = async (target, startByte) => {
      if (startByte > 0 && startByte < 100) throw failure;
      return file.readInto(target, startByte);
    };
    await expect(readPredictions({ ...file, readInto })).rejects.toBe(failure);
  });
});
