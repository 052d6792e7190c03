import { loadBundle } from '../bundle/loadBundle.ts';
import { type FunnelReport, funnelReport } from '../metrics/funnelMetrics.ts';
import type { NcsNetworkConfig } from '../network/networkConfig.ts';
import type { TrainingData } from '../recipe/encodeData.ts';
import { exportBundle } from '../recipe/exportBundle.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { scoreInput } from '../scoring/scoreInput.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { METRIC_NAMES, type MetricName } from './comparisonDocument.ts';
import type { ReportLabels } from './reportRows.ts';
import { type ArmRunRecord, readReportScores, runFolder, scoresFile, writeRunRecord } from './runFolder.ts';
import { trainArm } from './trainArm.ts';

/**
 * Trains an arm, writes its bundle, scores the report rows with the scoring job, measures the scores and writes the
 * record. What a killed run left behind is removed first.
 */
export async function runArm(
  name: string,
  seed: number,
  config: TrainingConfig & { network: NcsNetworkConfig },
  data: TrainingData,
  labels: ReportLabels,
  output: string,
): Promise<ArmRunRecord> {
  const folder = runFolder(output, name, seed);
  await storageFor(folder).removeFolder(folder);
  const trained = await trainArm(name, config, data, seed);
  const { settings, shape, weights, masks, validationScore, curve, seconds, description } = trained;
  const bundleUri = joinUri(folder, 'bundle');
  await exportBundle(
    bundleUri,
    data,
    { ...config, training: settings, modelVersion: `${name}-seed-${seed}` },
    { shape, weights, masks, metrics: { validationScore }, record: undefined, seconds },
  );
  const bundle = await loadBundle(storageFor(bundleUri), bundleUri);
  for (const [index, { uri }] of data.split.report.entries()) {
    const report = await scoreInput(uri, scoresFile(folder, index), bundle, { workers: 1 });
    for (const { error } of report.failures) throw error;
  }
  const scores = await readReportScores(folder, data.split.report);
  const { click, conversion, users } = labels;
  const report = funnelReport({ ...scores, click, conversion, ...(users && { users }) });
  const record: ArmRunRecord = {
    arm: name,
    seed,
    metrics: tableMetrics(report),
    validationScore,
    trainingSeconds: seconds,
    ...description,
    curve,
  };
  await writeRunRecord(output, record);
  return record;
}

function tableMetrics(report: FunnelReport): Record<MetricName, number | null> {
  const values = METRIC_NAMES.map((name) => {
    const [label, metric] = name.split('.') as [
      'click' | 'conversion' | 'ctcvr',
      'auc' | 'gauc' | 'logLoss' | 'calibration',
    ];
    return [name, report[label][metric]] as const;
  });
  return Object.fromEntries(values) as Record<MetricName, number | null>;
}
