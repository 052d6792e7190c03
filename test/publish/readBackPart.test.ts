import { join } from 'node:path';
import { Field, Int64, makeData } from 'apache-arrow';
import { expect, test } from 'vitest';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import { readBackPart } from '../../lib/publish/readBackPart.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let files = 0;

interface Scores {
  readonly pctr: readonly number[];
  readonly pcvr: readonly number[];
  readonly pctcvr?: readonly number[];
}

/** A part with these scores in batches of two rows, read back as one span. */
async function readBack({ pctr, pcvr, pctcvr }: Scores, rows = pctr.length) {
  const uri = join(folder, `${files++}.arrow`);
  const file = await localDisk.createAtomic(uri);
  const keyFields = [new Field('id', new Int64(), false)];
  const writer = await PredictionWriter.open({ file, keyFields, metadata: new Map() });
  for (let start = 0; start < pctr.length; start += 2) {
    const [clicks, conversions] = [pctr, pcvr].map((all) => Float32Array.from(all.slice(start, start + 2)));
    const data = BigInt64Array.from(clicks!, (_, row) => BigInt(start + row));
    const products = clicks!.map((click, row) => pctcvr?.[start + row] ?? click * conversions![row]!);
    const keys = [makeData({ type: new Int64(), data })];
    await writer.write({ keys, pctr: clicks!, pcvr: conversions!, pctcvr: products });
  }
  await writer.finish();
  await file.commit();
  const span = { shard: 's', version: 'v', sizeBytes: 1, firstRowGroup: 0, endRowGroup: 1, rows };
  return readBackPart(uri, { rows, spans: [span] }, ['id']);
}

test('scores are counted in bins of a quarter of an octave, from 0 to 1', async () => {
  const { statistics, keys } = await readBack({ pctr: [1, 0.5, 0.5, 0, -0], pcvr: [1, 1, 0.625, 1, 1] });
  const bins = (counts: readonly number[]) =>
    Object.fromEntries(counts.flatMap((count, bin) => (count > 0 ? [[bin, count]] : [])));
  expect(statistics.pctr.counts).toHaveLength(SCORE_BINS);
  expect(bins(statistics.pctr.counts)).toEqual({ 0: 2, 60: 2, 64: 1 });
  expect(bins(statistics.pcvr.counts)).toEqual({ 61: 1, 64: 4 });
  expect(bins(statistics.pctcvr.counts)).toEqual({ 0: 2, 57: 1, 60: 1, 64: 1 });
  expect(keys).toMatchObject({ types: [{ name: 'id', type: 'Int64' }], repeatedRows: 0 });
});

test('a pCTCVR that is off by the last bit of float32 is refused with its row', async () => {
  const [click, conversion] = [0.3, 0.7].map(Math.fround) as [number, number];
  const product = Math.fround(click * conversion);
  const scores = { pctr: [1, 1, click], pcvr: [1, 1, conversion] };
  await readBack({ ...scores, pctcvr: [1, 1, product] });
  const next = Math.fround(product + 2 ** -26);
  expect(next).not.toBe(product);
  await expect(readBack({ ...scores, pctcvr: [1, 1, next] })).rejects.toMatchObject({
    ...{ code: 'PUBLISH_PART_INVALID', expected: 'pctcvr = pctr × pcvr' },
    found: expect.stringMatching(/in row 2$/),
  });
});

test('a part with more rows than planned, or fewer, is refused with their number', async () => {
  const scores = { pctr: [1, 1, 1], pcvr: [1, 1, 1] };
  for (const rows of [1, 2, 4]) {
    await expect(readBack(scores, rows)).rejects.toMatchObject({
      ...{ code: 'PUBLISH_PART_INVALID', expected: `${rows} rows`, found: '3' },
    });
  }
});

test('digests of a part without rows are 0, and it has no fingerprints', async () => {
  const { keys, fingerprintBytes } = await readBack({ pctr: [], pcvr: [] });
  expect(keys).toMatchObject({ spans: ['0'.repeat(16)], keySpans: ['0'.repeat(16)], repeatedRows: 0 });
  expect(fingerprintBytes).toHaveLength(0);
});
