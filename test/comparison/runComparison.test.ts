import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { ARMS } from '../../lib/comparison/arms.ts';
import type { ComparisonDocument, LayerConnections } from '../../lib/comparison/comparisonDocument.ts';
import {
  type ComparisonOptions,
  type ComparisonProgress,
  runComparison,
} from '../../lib/comparison/runComparison.ts';
import { evaluateInput } from '../../lib/scoring/evaluateInput.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { type ConfigDocument, THREE_SIDES, TINY_CONFIG } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const dataUri = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 500 });
const document = {
  ...(TINY_CONFIG as ConfigDocument),
  split: THREE_SIDES,
  training: { ...(TINY_CONFIG.training as object), epochs: 1, batchRows: 64 },
  masks: { method: 'learned', density: { click: 0.4, conversion: 0.2 } },
};
const output = join(folder, 'comparison');
const options = { seeds: 2, processes: 2 };
const run = (over: Partial<ComparisonOptions> = {}, config: object = document, to = output) =>
  runComparison(config, 'config.json', dataUri, to, { ...options, ...over });

let comparison: ComparisonDocument;
beforeAll(async () => {
  comparison = await run();
}, 120_000);

describe('a comparison', () => {
  it('has every arm with every seed, all metrics, and every difference from the reference', () => {
    expect(Object.keys(comparison.arms)).toEqual(Object.keys(ARMS));
    for (const [name, arm] of Object.entries(comparison.arms)) {
      expect(
        arm.runs.map(({ seed }) => seed),
        name,
      ).toEqual([1, 2]);
      expect(arm.metrics['click.auc'].values, name).toHaveLength(2);
      expect(arm.metrics['conversion.auc'].mean, name).toBeGreaterThan(0);
      expect(arm.parameters, name).toBeGreaterThan(0);
      expect(arm.multiplyAddsPerRow, name).toBeGreaterThan(0);
      expect(arm.runs[0]!.curve.length, name).toBeGreaterThan(0);
    }
    expect(Object.keys(comparison.paired)).toEqual(Object.keys(ARMS).filter((name) => name !== 'ncs'));
    expect(JSON.parse(readFileSync(join(output, 'comparison.json'), 'utf8'))).toEqual(comparison);
    expect(existsSync(join(output, 'report.html'))).toBe(true);
  });

  it('reports of every arm what evaluate says of its bundle', async () => {
    for (const name of Object.keys(ARMS)) {
      const uri = join(output, 'runs', name, 'seed-2', 'bundle');
      const bundle = await loadBundle(storageFor(uri), uri);
      const report = await evaluateInput(join(dataUri, `dt=${TINY_DATES[2]}`), bundle, 1);
      const { metrics } = comparison.arms[name]!;
      expect(metrics['click.auc'].values[1], name).toBe(report.click.auc);
      expect(metrics['conversion.logLoss'].values[1], name).toBe(report.conversion.logLoss);
      expect(report.click.gauc, name).not.toBeNull();
      expect(metrics['click.gauc'].values[1], name).toBe(report.click.gauc);
    }
  }, 60_000);

  it('trains the same scores whichever process runs it', async () => {
    const again = join(folder, 'again');
    await run({ arms: ['mmoe'], processes: 1, seeds: 1 }, document, again);
    for (const arm of ['ncs', 'mmoe']) {
      const file = join('runs', arm, 'seed-1', 'bundle', 'model.onnx');
      expect(readFileSync(join(again, file)).equals(readFileSync(join(output, file))), arm).toBe(true);
    }
  }, 60_000);

  it('repeats only runs without a record, and ends with the same document', async () => {
    const before = new Map(
      Object.keys(ARMS).map((name) => [
        name,
        statSync(join(output, 'runs', name, 'seed-1', 'run.json')).mtimeMs,
      ]),
    );
    // As a kill leaves it: a bundle, perhaps scores, no record.
    rmSync(join(output, 'runs', 'ple', 'seed-1', 'run.json'));
    const told: ComparisonProgress[] = [];
    const resumed = await run({ onProgress: (progress) => told.push(progress) });
    expect(told).toHaveLength(2);
    expect(told[1]!.ended).toMatchObject({ arm: 'ple', seed: 1 });
    for (const [name, mtime] of before) {
      const now = statSync(join(output, 'runs', name, 'seed-1', 'run.json')).mtimeMs;
      if (name !== 'ple') expect(now, name).toBe(mtime);
    }
    const { ple: first, ...others } = comparison.arms;
    const { ple: second, ...otherAgain } = resumed.arms;
    expect(otherAgain).toEqual(others);
    expect(second!.metrics).toEqual(first!.metrics);
    expect(resumed.paired).toEqual(comparison.paired);
  }, 60_000);

  it('of a task alone under its own mask has fewer parameters than without one', () => {
    const { 'single-task': dense, 'single-task-ticket': ticket } = comparison.arms;
    expect(ticket!.parameters).toBeLessThan(dense!.parameters);
  });

  it('with masks counts every connection of every layer once and shows the overlap beside its nulls', () => {
    for (const name of ['ncs', 'ncs-imp', 'random-masks', 'joint-ticket']) {
      for (const layer of comparison.arms[name]!.runs[0]!.connections!) {
        const { shared, clickOnly, conversionOnly, dead, inputWidth, outputWidth } = layer;
        expect(shared + clickOnly + conversionOnly + dead, name).toBe(inputWidth * outputWidth);
        expect(layer.chanceJaccard).toBeLessThanOrEqual(1);
        expect(layer.unrelatedJaccard === null, name).toBe(name !== 'ncs');
      }
    }
    const [ncs, random, joint] = ['ncs', 'random-masks', 'joint-ticket'].map(
      (name) => comparison.arms[name]!.runs[0]!.connections!,
    );
    // Masks for shuffled conversions, and masks that leave conflicts to one task, are others.
    expect(ncs!.map((layer) => layer.unrelatedJaccard)).not.toEqual(ncs!.map((layer) => layer.jaccard));
    expect(comparison.arms['ncs-conflict']!.runs[0]!.connections).not.toEqual(ncs);
    ncs!.forEach((layer, i) => {
      expect(random![i]!.shared + random![i]!.clickOnly).toBe(layer.shared + layer.clickOnly);
      expect(random![i]!.shared + random![i]!.conversionOnly).toBe(layer.shared + layer.conversionOnly);
      expect(joint![i]!.clickOnly + joint![i]!.conversionOnly).toBe(0);
    });
    const total = (layers: typeof ncs, of: (layer: LayerConnections) => number) =>
      layers!.reduce((sum, layer) => sum + of(layer), 0);
    const keptByConversions = total(ncs, ({ shared, conversionOnly }) => shared + conversionOnly);
    // A connection in each of four prunings may be rounded, and one in the reference's own mask.
    expect(Math.abs(total(joint, ({ shared }) => shared) - keptByConversions)).toBeLessThanOrEqual(5);
  });
});

it('an arm trains with its own settings, random masks at the densities that the reference has with its own', async () => {
  const arms = { mmoe: { epochs: 2 }, ncs: { trunk: { gain: 4 } } };
  const own = join(folder, 'own settings');
  const chosen = ['mmoe', 'random-masks'];
  const { arms: compared } = await run({ arms: chosen, seeds: 1 }, { ...document, arms }, own);
  const kept = (name: string) =>
    compared[name]!.runs[0]!.connections!.map(({ shared, clickOnly, conversionOnly }) => [
      shared + clickOnly,
      shared + conversionOnly,
    ]);
  expect(kept('random-masks')).toEqual(kept('ncs'));
  const epochsOf = (name: string) => new Set(compared[name]!.runs[0]!.curve.map(({ epoch }) => epoch));
  expect([epochsOf('ncs'), epochsOf('mmoe')]).toEqual([new Set([0]), new Set([0, 1])]);
  const uri = join(own, 'runs', 'mmoe', 'seed-1', 'bundle');
  const { manifest } = await loadBundle(storageFor(uri), uri);
  expect(manifest.training.config.training).toMatchObject({ epochs: 2, seed: 1 });
  rmSync(own, { recursive: true });
}, 60_000);

describe('a comparison is refused', () => {
  const expectCode = (code: string, over: object, config?: object, to?: string) =>
    expect(run(over, config, to)).rejects.toMatchObject({ code });

  it('in a folder that was begun with another config', () =>
    expectCode('COMPARISON_CHANGED', {}, { ...document, training: { ...document.training, batchRows: 65 } }));

  it('without report rows, a trunk, or a known arm', async () => {
    const { report: _report, ...split } = document.split;
    await expectCode('COMPARISON_NO_REPORT', {}, { ...document, split }, join(folder, 'a'));
    await expectCode(
      'COMPARISON_NO_TRUNK',
      {},
      { ...document, network: 'logistic', masks: undefined },
      join(folder, 'b'),
    );
    await expectCode('COMPARISON_ARM_UNKNOWN', { arms: ['mmoo'] }, document, join(folder, 'c'));
    const arms = { mmoe: { trunk: { gain: -1 } } };
    await expectCode('TRAINING_CONFIG_INVALID', {}, { ...document, arms }, join(folder, 'd'));
    expect(readdirSync(folder).sort()).toEqual(['again', 'comparison', 'data']);
  });

  it('over report rows whose conversions are of one class', async () => {
    const labels = { click: 'click', conversion: 'click' };
    const file = join(folder, 'e');
    await expect(run({}, { ...document, labels }, file)).rejects.toMatchObject({
      code: 'COMPARISON_NO_REPORT',
      message: expect.stringContaining('conversions'),
    });
    expect(existsSync(file)).toBe(false);
  });

  it('over a record that was damaged', async () => {
    const file = join(output, 'runs', 'mmoe', 'seed-1', 'run.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, -5));
    await expectCode('COMPARISON_RUN_INVALID', {});
    writeFileSync(file, text);
  });

  it('in a folder that was begun with other data of the same names and sizes', async () => {
    const shard = join(dataUri, `dt=${TINY_DATES[0]}`, 'part-0.parquet');
    const { atime, mtimeMs } = statSync(shard);
    // The last test here: a modification time can't be put back to the nanosecond.
    utimesSync(shard, atime, new Date(mtimeMs + 60_000));
    await expectCode('COMPARISON_CHANGED', {});
  });
});
