import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { METRIC_NAMES } from '../../lib/comparison/comparisonDocument.ts';
import { type ReportLabels, readReportLabels } from '../../lib/comparison/reportRows.ts';
import { runArm } from '../../lib/comparison/runArm.ts';
import { readReportScores, readRunRecord, runFolder } from '../../lib/comparison/runFolder.ts';
import { FunnelMetrics } from '../../lib/metrics/funnelMetrics.ts';
import type { NcsNetworkConfig } from '../../lib/network/networkConfig.ts';
import { encodeData, type TrainingData } from '../../lib/recipe/encodeData.ts';
import { fitFeatures } from '../../lib/recipe/fitFeatures.ts';
import { splitShards } from '../../lib/recipe/splitShards.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const dates = [...TINY_DATES, '2024-03-04'];
const dataUri = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 300, dates });
const parsed = tinyConfig({
  split: {
    train: { from: dates[0], to: dates[0] },
    validation: { from: dates[1], to: dates[1] },
    report: { from: dates[2], to: dates[3] },
  },
  arms: { 'shared-bottom': { batchRows: 100 } },
});
const config = { ...parsed, network: parsed.network as NcsNetworkConfig };
let data: TrainingData;
let labels: ReportLabels;

beforeAll(async () => {
  const split = await splitShards(dataUri, config.split);
  data = await encodeData(config, split, await fitFeatures(config, split));
  labels = await readReportLabels(config, split);
});

describe('a run of an arm', () => {
  const output = join(folder, 'output');

  it('leaves its bundle, its scores and the record that it gives back, and nothing of a killed run', async () => {
    const left = runFolder(output, 'shared-bottom', 4);
    mkdirSync(join(left, 'scores'), { recursive: true });
    for (const name of ['part-0.arrow', 'part-7.arrow']) writeFileSync(join(left, 'scores', name), 'half');
    const record = await runArm('shared-bottom', 4, config, data, labels, output);

    expect(await readRunRecord(output, 'shared-bottom', 4)).toEqual(record);
    expect(readdirSync(left).sort()).toEqual(['bundle', 'run.json', 'scores']);
    // One for each report shard.
    expect(readdirSync(join(left, 'scores')).sort()).toEqual(['part-0.arrow', 'part-1.arrow']);
    const bundle = await loadBundle(storageFor(left), join(left, 'bundle'));
    expect(bundle.manifest.modelVersion).toBe('shared-bottom-seed-4');
    expect(bundle.manifest.training.config.training).toMatchObject({ seed: 4, batchRows: 100 });
    expect(record).toMatchObject({ arm: 'shared-bottom', seed: 4 });
    expect(record.validationScore).toBe(bundle.manifest.training.metrics.validationScore);
    expect(record.trainingSeconds).toBeGreaterThan(0);
    expect(record.parameters).toBeGreaterThan(0);
    expect(record.curve.length).toBeGreaterThan(0);
    expect(record).not.toHaveProperty('connections');
  });

  it('is measured by its scores of all report rows, by user where the config names users', async () => {
    const record = (await readRunRecord(output, 'shared-bottom', 4))!;
    const scores = await readReportScores(runFolder(output, 'shared-bottom', 4), data.split.report);
    const { click, conversion } = labels;
    expect(click).toHaveLength(600);
    const metrics = new FunnelMetrics();
    metrics.add({ ...scores, click, conversion, users: labels.users! });
    const report = metrics.compute();
    expect(Object.keys(record.metrics)).toEqual([...METRIC_NAMES]);
    expect(record.metrics).toEqual({
      ...{ 'click.auc': report.click.auc, 'click.gauc': report.click.gauc },
      ...{ 'click.logLoss': report.click.logLoss, 'click.calibration': report.click.calibration },
      ...{ 'conversion.auc': report.conversion.auc, 'conversion.logLoss': report.conversion.logLoss },
      ...{ 'conversion.calibration': report.conversion.calibration, 'ctcvr.auc': report.ctcvr.auc },
    });
    expect(record.metrics['click.gauc']).not.toBeNull();
    const other = await runArm('shared-bottom', 5, config, data, { ...labels, users: undefined }, output);
    expect(other.metrics['click.gauc']).toBeNull();
    expect(other.metrics['click.auc']).not.toBeNull();
  });

  it('ends without a record when a report shard can not be scored', async () => {
    const broken = join(folder, 'broken.parquet');
    writeFileSync(broken, 'no Parquet file');
    const report = [data.split.report[0]!, { uri: broken, rowStart: 0, rowEnd: 300 }];
    const changed = { ...data, split: { ...data.split, report } };
    await expect(runArm('shared-bottom', 6, config, changed, labels, output)).rejects.toMatchObject({
      code: 'SHARD_NOT_PARQUET',
      location: { file: broken },
    });
    expect(existsSync(join(runFolder(output, 'shared-bottom', 6), 'run.json'))).toBe(false);
  });
});
