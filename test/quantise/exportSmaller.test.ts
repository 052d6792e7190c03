import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { verifyModel } from '../../lib/bundle/verifyModel.ts';
import { encodeGoldenRows } from '../../lib/bundle/writeBundle.ts';
import type { compareAccuracy } from '../../lib/quantise/accuracy.ts';
import { exportSmaller } from '../../lib/quantise/exportSmaller.ts';
import { readExportRows, spreadRows } from '../../lib/quantise/readExportRows.ts';
import { recordedSplit } from '../../lib/recipe/trainingConfig.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { countClasses } from '../../lib/training/taskLabels.ts';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const data = join(folder, 'data');
const trained = join(folder, 'bundle');
/** What the gate is told instead of what was measured. */
const gate = vi.hoisted(() => ({ meanFactor: 1 }));

vi.mock('../../lib/quantise/accuracy.ts', async (original) => {
  const actual = await original<typeof import('../../lib/quantise/accuracy.ts')>();
  const compare: typeof compareAccuracy = (...args) => {
    const { click, conversion } = actual.compareAccuracy(...args);
    const mean = { ...click.mean, after: gate.meanFactor * click.mean.after };
    return { click: { ...click, mean }, conversion };
  };
  return { ...actual, compareAccuracy: compare };
});

beforeAll(async () => {
  await trainTinyModel(folder, { config: { network: { kind: 'ncs', embeddingWidth: 4, hidden: [32, 32] } } });
});

describe('exportSmaller', () => {
  it('writes a bundle in integers that loads, proves itself, and says what it was made of', async () => {
    const output = join(folder, 'int8');
    const { bundle, accuracy } = await exportSmaller(trained, data, output, { int8: true, tables: 'I8' });
    const original = await loadBundle(localDisk, trained);
    const { exported, modelVersion, training } = bundle.manifest;
    expect(modelVersion).toMatch(/^tiny-1-int8-tables-i8-[0-9a-f]{8}$/);
    expect(exported).toMatchObject({
      from: {
        modelVersion: 'tiny-1',
        modelSha256: original.manifest.files['model.onnx'].sha256,
      },
      layers: 'int8',
      tables: 'I8',
      accuracy,
    });
    expect(exported!.calibrationRows).toBeLessThanOrEqual(training.trainRows);
    expect(accuracy.click.largestChange).toBeGreaterThan(0);
    expect(bundle.reference).toEqual(original.reference);
    expect(filesBelow(output)).toEqual(filesBelow(trained));
    expect(new Set(bundle.model.tables.map(({ elementType }) => elementType))).toEqual(new Set(['I8']));
  });

  it('names no tables in the version of a model that has none', async () => {
    const contract = { tables: undefined, features: [{ kind: 'numeric', column: 'price' }] };
    const of = join(folder, 'numbers');
    const { bundleUri, dataUri } = await trainTinyModel(of, {
      config: { contract, network: { kind: 'ncs', embeddingWidth: 4, hidden: [32, 32] } },
    });
    const { bundle } = await exportSmaller(bundleUri, dataUri, join(of, 'small'), {
      int8: false,
      tables: 'I8',
    });
    expect(bundle.model.tables).toEqual([]);
    expect(bundle.manifest.modelVersion).toMatch(/^tiny-1-[0-9a-f]{8}$/);
  });

  it.each([
    ['bundle', 9e-6, 2e-5],
    ['int8', 1.9e-3, 2.5e-3],
  ])('%s proves itself by golden rows that are %f off, but not %f', async (name, passes, fails) => {
    const uri = join(folder, name);
    const { model, manifest, contract, vocabularies } = await loadBundle(localDisk, uri);
    const golden = tableFromIPC(readFileSync(join(uri, 'golden.arrow')));
    const [batch] = golden.batches;
    const raw = batch!.selectAt([...Array(batch!.numCols - 3).keys()]);
    const scores = [3, 2].map((back) => batch!.getChildAt(batch!.numCols - back)!.toArray() as Float32Array);
    const embeddings = Object.fromEntries(
      Object.entries(manifest.files).flatMap(([path, { sha256 }]) =>
        path.startsWith('embeddings/') ? [[path, sha256]] : [],
      ),
    );
    const verify = (shift: number) => {
      const shifted = encodeGoldenRows(raw, { pctr: scores[0]!.map((p) => p + shift), pcvr: scores[1]! });
      return verifyModel(model, embeddings, shifted, { contract, vocabularies }, uri);
    };
    await verify(passes);
    await expect(verify(fails)).rejects.toThrow('BUNDLE_GOLDEN_MISMATCH');
  });

  it('writes the same bytes again from the same bundle and data', async () => {
    const digests = [];
    for (const name of ['once', 'again']) {
      const output = join(folder, name);
      const { bundle } = await exportSmaller(trained, data, output, { int8: true, tables: 'F32' });
      digests.push(bundle.manifest.files, bundle.manifest.modelVersion);
    }
    expect(digests.slice(0, 2)).toEqual(digests.slice(2));
  });

  it('rounds tables alone, and leaves the layers as they were', async () => {
    const output = join(folder, 'halves');
    const { bundle, accuracy } = await exportSmaller(trained, data, output, { int8: false, tables: 'F16' });
    expect(bundle.manifest.inputs).toEqual((await loadBundle(localDisk, trained)).manifest.inputs);
    expect(bundle.manifest.exported).toMatchObject({ layers: 'float32', calibrationRows: 0 });
    // Against the model as it was trained, not against its rounded tables.
    expect(accuracy.click.largestChange).toBeGreaterThan(0);
    expect(accuracy.click.largestChange).toBeLessThan(1e-3);
  });

  it('writes nothing when the scores changed too much, and says by how much', async () => {
    gate.meanFactor = 1.006;
    const output = join(folder, 'refused');
    const refused = exportSmaller(trained, data, output, { int8: true, tables: 'F32' });
    await expect(refused).rejects.toThrow(
      /EXPORT_ACCURACY: [\s\S]*click: mean score .* 0\.\d\d%, may differ by 0\.5%/,
    );
    gate.meanFactor = 1;
    expect(filesBelow(output)).toEqual([]);
  });

  it('refuses a bundle that was exported, and a folder that holds one', async () => {
    const [int8, output] = [join(folder, 'int8'), join(folder, 'twice')];
    await expect(exportSmaller(int8, data, output, { int8: true, tables: 'F32' })).rejects.toThrow(
      `EXPORT_NOT_TRAINED: ${int8}`,
    );
    await expect(exportSmaller(trained, data, int8, { int8: true, tables: 'F32' })).rejects.toThrow(
      'BUNDLE_EXISTS',
    );
  });

  it('refuses data that are not what the bundle was trained on', async () => {
    const others = join(folder, 'others');
    writeTinyFunnel(others, { rowsPerDay: 700 });
    await expect(
      exportSmaller(trained, others, join(folder, 'other'), { int8: true, tables: 'F32' }),
    ).rejects.toThrow(
      /EXPORT_DATA_MISMATCH: .*the training rows aren't those of the bundle \(expected dt=.* rows, found dt=.* 1400 rows\)/,
    );
  });
});

describe('readExportRows', () => {
  it('knows no conversion that the training took for too young, though all have come since', async () => {
    const bundle = await loadBundle(localDisk, trained);
    const { manifest } = bundle;
    const { validation } = recordedSplit(manifest.training.config, trained) as { validation: { to: string } };
    const knownConversions = async (newestDay: string) => {
      const training = { ...manifest.training, labels: { ...manifest.training.labels!, newestDay } };
      const labels = { ...manifest.labels!, matureAfter: '400d' };
      const read = await readExportRows({ ...bundle, manifest: { ...manifest, labels, training } }, data);
      return [read.calibration, read.validation].map((set) => countClasses(set, 'conversion').rows > 0);
    };
    expect(await knownConversions(validation.to)).toEqual([false, false]);
    expect(await knownConversions('2999-12-31')).toEqual([true, true]);
  });
});

describe('spreadRows', () => {
  const shard = (uri: string, rowStart: number, rowEnd: number) => ({ uri, rowStart, rowEnd });
  const rows = [shard('a', 10, 110), shard('b', 0, 50), shard('c', 0, 850)];

  it('takes runs at even distances, over shards and from within them', () => {
    expect(spreadRows(rows, 100, 4)).toEqual([
      shard('a', 10, 35),
      shard('c', 100, 125),
      shard('c', 350, 375),
      shard('c', 600, 625),
    ]);
    expect(spreadRows(rows, 300, 2)).toEqual([shard('a', 10, 110), shard('b', 0, 50), shard('c', 350, 500)]);
  });

  it('takes exactly as many as are wanted, or all', () => {
    const count = (found: typeof rows) => found.reduce((sum, each) => sum + each.rowEnd - each.rowStart, 0);
    for (const wanted of [1, 7, 33, 999]) expect(count(spreadRows(rows, wanted, 32))).toBe(wanted);
    expect(spreadRows(rows, 1000, 32)).toEqual(rows);
  });
});
