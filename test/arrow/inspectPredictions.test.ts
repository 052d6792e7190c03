import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Field, Int64, tableFromIPC, vectorFromArray } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { concatenatePredictions } from '../../lib/arrow/concatenatePredictions.ts';
import { inspectPredictions } from '../../lib/arrow/inspectPredictions.ts';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import { openPredictions } from '../../lib/arrow/readPredictions.ts';
import { SequentialFile } from '../../lib/arrow/sequentialFile.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { memoryFile } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const SCORES = ['pctr', 'pcvr', 'pctcvr'];
const KEYS = [new Field('id', new Int64(), true)];

/** Batches of so many rows, numbered from `first` on; every seventh key is null. */
async function write(
  name: string,
  batchRows: readonly number[],
  { first = 0, metadata = {}, score = (row: number) => Math.fround((row % 97) / 97) } = {},
): Promise<string> {
  const uri = join(folder, name);
  const file = await localDisk.createAtomic(uri);
  const writer = await PredictionWriter.open({
    file,
    keyFields: KEYS,
    metadata: new Map(Object.entries(metadata)),
  });
  let row = first;
  for (const count of batchRows) {
    const rows = Array.from({ length: count }, () => row++);
    const keys = vectorFromArray(
      rows.map((each) => (each % 7 === 6 ? null : BigInt(each))),
      new Int64(),
    );
    const pctr = Float32Array.from(rows, score);
    await writer.write({
      keys: [keys.data[0]!],
      pctr,
      pcvr: pctr.map((p) => p / 2),
      pctcvr: pctr.map((p) => p / 3),
    });
  }
  await writer.finish();
  await file.commit();
  return uri;
}

const sha256Of = (uri: string) => createHash('sha256').update(readFileSync(uri)).digest('hex');

describe('inspectPredictions', () => {
  test('finds what reading the whole file finds: digest, rows, nulls, and the statistics to the last bit', async () => {
    const uri = await write('whole.arrow', [500, 3, 65_536, 1], { metadata: { model: 'm' } });
    const found = await inspectPredictions(uri, SCORES);
    const table = tableFromIPC(readFileSync(uri));
    expect(found).toMatchObject({
      rowCount: 66_040,
      sizeBytes: readFileSync(uri).length,
      sha256: sha256Of(uri),
      columns: ['id', ...SCORES],
    });
    expect(found.metadata.get('model')).toBe('m');
    expect(Object.fromEntries(found.nullCounts)).toEqual({
      id: table.getChild('id')!.nullCount,
      pctr: 0,
      pcvr: 0,
      pctcvr: 0,
    });
    expect(found.nullCounts.get('id')).toBe(9434);
    for (const name of SCORES) {
      const values = table.getChild(name)!.toArray() as Float32Array;
      let sum = 0;
      for (const value of values) sum += value;
      const { min, max, mean, outside } = found.statistics.get(name)!;
      expect([min, max, mean, outside]).toEqual([
        values.reduce((a, b) => Math.min(a, b)),
        values.reduce((a, b) => Math.max(a, b)),
        sum / values.length,
        undefined,
      ]);
    }
  });

  test('tells the first score that is no probability, of every column', async () => {
    for (const wrong of [Number.NaN, -0.25, 1.5]) {
      const uri = await write('wrong.arrow', [10, 10], { score: (row) => (row >= 15 ? wrong : 1) });
      const { statistics } = await inspectPredictions(uri, ['pctr', 'pctcvr']);
      expect([...statistics.keys()]).toEqual(['pctr', 'pctcvr']);
      expect(statistics.get('pctr')!.outside).toBe(wrong);
      expect(Object.is(statistics.get('pctr')!.mean, (15 + 5 * wrong) / 20)).toBe(true);
    }
  });

  test('has no statistics of a file without rows', async () => {
    const uri = await write('empty.arrow', []);
    const found = await inspectPredictions(uri, SCORES);
    expect(found).toMatchObject({ rowCount: 0, sha256: sha256Of(uri) });
    expect(found.statistics.get('pcvr')).toEqual({ min: null, max: null, mean: null, outside: undefined });
  });

  test('refuses a file that is cut, is none, or lacks a score', async () => {
    const uri = await write('good.arrow', [100]);
    const bytes = readFileSync(uri);
    for (const [index, broken] of [
      bytes.subarray(0, bytes.length - 20),
      Buffer.from('x'),
      Buffer.alloc(0),
    ].entries()) {
      const path = join(folder, `broken-${index}.arrow`);
      writeFileSync(path, broken);
      await expect(inspectPredictions(path, SCORES)).rejects.toMatchObject({
        code: 'PREDICTION_FILE_INVALID',
      });
    }
    await expect(inspectPredictions(uri, ['lift'])).rejects.toMatchObject({
      code: 'PREDICTION_FILE_INVALID',
      location: { file: uri, column: 'lift' },
    });
    await expect(inspectPredictions(uri, ['id'])).rejects.toMatchObject({
      expected: 'Float32',
      found: 'Int64',
    });
  });
});

describe('SequentialFile', () => {
  test('reads every piece once and in order, whatever the batches, and hashes all bytes', async () => {
    const uri = await write('pieces.arrow', Array(300).fill(100));
    const bytes = readFileSync(uri);
    for (const pieceBytes of [1000, 4096, 300_000, bytes.length, 10 * bytes.length]) {
      const memory = memoryFile(bytes);
      const file = new SequentialFile(memory, pieceBytes);
      const { batches } = await openPredictions(file);
      let sum = 0;
      const held = [];
      for await (const batch of batches) {
        sum += batch.numRows;
        held.push(batch);
      }
      expect(sum).toBe(30_000);
      expect(await file.digest()).toBe(sha256Of(uri));
      // Batches that are kept are not overwritten by later pieces.
      expect(held.at(-1)!.getChild('id')!.get(99)).toBe(29_999n);
      expect(held[0]!.getChild('id')!.get(5)).toBe(5n);
      const pieces = Math.ceil(bytes.length / pieceBytes);
      // The tail, for the footer, where the first piece isn't the whole file.
      expect(memory.reads.length).toBe(pieces + (pieces > 1 ? 1 : 0));
      expect(
        Math.max(...memory.reads.map(({ startByte, endByte }) => endByte - startByte)),
      ).toBeLessThanOrEqual(Math.max(pieceBytes, 256 * 1024));
    }
  });

  test('serves any range, also backwards, and lets the file say what lies past its end', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
    const file = new SequentialFile(memoryFile(bytes), 64);
    for (const [start, length] of [
      [10, 200],
      [0, 5],
      [900, 100],
      [500, 1],
      [63, 2],
      [999, 1],
    ] as const) {
      const target = new Uint8Array(length);
      await file.readInto(target, start);
      expect(target).toEqual(bytes.subarray(start, start + length));
    }
    await expect(file.readInto(new Uint8Array(2), 999)).rejects.toMatchObject({ code: 'STORAGE_SHORT_READ' });
    expect(await file.digest()).toBe(createHash('sha256').update(bytes).digest('hex'));
  });
});

describe('concatenatePredictions', () => {
  test('joins files into the very bytes of one that was written at once', async () => {
    const metadata = { model: 'm' };
    const whole = await write('once.arrow', [100, 37, 5, 64, 1], { metadata });
    const pieces = [
      await write('piece-0.arrow', [100, 37], { metadata }),
      await write('piece-1.arrow', [], { first: 137, metadata }),
      await write('piece-2.arrow', [5, 64, 1], { first: 137, metadata }),
    ];
    const joined = join(folder, 'joined.arrow');
    expect(await concatenatePredictions(pieces, joined)).toEqual({
      rowCount: 207,
      sizeBytes: readFileSync(whole).length,
      isCreated: true,
    });
    expect(sha256Of(joined)).toBe(sha256Of(whole));
    writeFileSync(joined, 'there');
    const again = await concatenatePredictions(pieces, joined, { ifAbsent: true });
    expect([again.isCreated, readFileSync(joined, 'utf8')]).toEqual([false, 'there']);
  });

  test('refuses files of other metadata or columns, and writes nothing', async () => {
    const one = await write('one.arrow', [3], { metadata: { model: 'm' } });
    const other = await write('other.arrow', [3], { metadata: { model: 'n' } });
    const output = join(folder, 'refused.arrow');
    await expect(concatenatePredictions([one, other], output)).rejects.toMatchObject({
      code: 'PREDICTION_FILES_DIFFER',
      location: { file: other },
    });
    expect(() => readFileSync(output)).toThrow('ENOENT');
  });
});
