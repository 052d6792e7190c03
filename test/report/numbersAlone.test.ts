import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { exportSmaller } from '../../lib/quantise/exportSmaller.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { measureModel } from '../../lib/report/measureModel.ts';
import { modelReport } from '../../lib/report/modelReport.ts';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfigDocument } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { sectionOf, tableOf, textOf } from './readPage.ts';

// A contract without a single id: no embeddings, no slices, nothing but the dense input.
const folder = temporaryFolder();
const data = join(folder, 'data');
const contract = {
  contractVersion: 1,
  rowKeys: ['impression_id'],
  features: ['age', 'hour', 'price'].map((column) => ({ kind: 'numeric', column })),
};
const over = {
  masks: { method: 'learned', density: 0.4, epochs: 1 },
  network: { kind: 'ncs', hidden: [64, 64] },
};
let bundle: ModelBundle;

beforeAll(async () => {
  writeTinyFunnel(data);
  const config = parseTrainingConfig({ ...tinyConfigDocument(over), contract }, 'numbers');
  ({ bundle } = await trainModel(config, data, join(folder, 'bundle')));
}, 120_000);

describe('a model of numbers alone', () => {
  it('has a report: sharing map, importance, reliability, features, and no slices', async () => {
    const measures = await measureModel(bundle, join(data, 'dt=2024-03-03'), { rows: 1500 });
    const { uri, manifest, reference } = bundle;
    const page = modelReport({ uri, manifest, reference, measures });
    const names = ['age', 'hour', 'price'];
    expect(measures.importance.map(({ feature }) => feature).toSorted()).toEqual(names);
    expect(tableOf(sectionOf(page, 'Features'), 'Every feature').map(([name]) => name)).toEqual(names);
    expect(sectionOf(page, 'Which connections are shared')).toContain('hour');
    expect(measures.slices).toEqual([]);
    expect(textOf(sectionOf(page, 'Slices'))).toContain(
      'No categorical or bucketed feature has few enough values',
    );
  });

  it('is exported with its layers in integers, which score nearly the same', async () => {
    const options = { int8: true, tables: 'I8' } as const;
    const smaller = await exportSmaller(bundle.uri, data, join(folder, 'int8'), options);
    expect(smaller.bundle.manifest.modelVersion).toMatch(/-int8-/);
    const day = join(data, 'dt=2024-03-03');
    const [before, after] = await Promise.all(
      [bundle, smaller.bundle].map((each) => measureModel(each, day, { rows: 1500 })),
    );
    expect(after!.metrics.click.logLoss).not.toBe(before!.metrics.click.logLoss);
    expect(after!.metrics.click.logLoss).toBeCloseTo(before!.metrics.click.logLoss!, 3);
    expect(after!.metrics.conversion.logLoss).toBeCloseTo(before!.metrics.conversion.logLoss!, 3);
  });
});
