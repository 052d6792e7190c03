import { CODE_VERSION } from '../base/codeVersion.ts';
import { meanOf, sumOf } from '../base/sumOf.ts';
import type { DataSplit } from '../recipe/splitShards.ts';
import { ARMS, REFERENCE_ARM } from './arms.ts';
import {
  type ArmSummary,
  type ComparisonDocument,
  METRIC_NAMES,
  type MetricName,
  type MetricSummary,
  PAIRED_METRIC_NAMES,
  type PairedDifference,
  type PairedMetricName,
} from './comparisonDocument.ts';
import { pairedDifference, type ResampledAucs, resampleAucs } from './pairedDifference.ts';
import type { ReportLabels } from './reportRows.ts';
import { type ArmRunRecord, readReportScores, readRunRecord, runFolder } from './runFolder.ts';

/** The bootstrap's own seed: the interval of a comparison doesn't change when it is computed again. */
const BOOTSTRAP_SEED = 1;

/** A comparison whose runs are finished. */
export interface FinishedComparison {
  readonly dataUri: string;
  readonly split: DataSplit;
  readonly conversionLabel: string;
  /** Of the report rows. */
  readonly labels: ReportLabels;
  readonly output: string;
  readonly names: readonly string[];
  readonly seeds: readonly number[];
}

/** Puts the runs together. @throws Ncs4cvrError COMPARISON_RUN_INVALID */
export async function collectComparison({
  dataUri,
  split,
  conversionLabel,
  labels,
  output,
  names,
  seeds,
}: FinishedComparison): Promise<ComparisonDocument> {
  const resample = async (name: string): Promise<Record<PairedMetricName, ResampledAucs>> => {
    const runs = await Promise.all(
      seeds.map((seed) => readReportScores(runFolder(output, name, seed), split.report)),
    );
    return byPairedMetric((metric) => resampleAucs({ runs, labels, metric, seed: BOOTSTRAP_SEED }));
  };
  const arms: Record<string, ArmSummary> = {};
  const paired: Record<string, Record<PairedMetricName, PairedDifference>> = {};
  // Not before there is a pair: it takes seconds on many report rows.
  let reference: Record<PairedMetricName, ResampledAucs> | undefined;
  for (const name of names) {
    const records = await Promise.all(seeds.map((seed) => readRunRecord(output, name, seed)));
    arms[name] = summariseArm(
      name,
      records.map((record) => record!),
    );
    if (name === REFERENCE_ARM) continue;
    reference ??= await resample(REFERENCE_ARM);
    const [first, second] = [reference, await resample(name)];
    paired[name] = byPairedMetric((metric) => pairedDifference(first[metric], second[metric]));
  }
  return {
    formatVersion: 1,
    codeVersion: CODE_VERSION,
    data: dataUri,
    trainSplit: split.trainingText,
    validationSplit: split.validationText,
    reportSplit: split.reportText,
    reportRows: labels.click.length,
    reportClicks: labels.click.filter((click) => click === 1).length,
    conversionLabel,
    bootstrapUnit: labels.users === undefined ? 'rows' : 'users',
    seeds,
    reference: REFERENCE_ARM,
    arms,
    paired,
  };
}

function byPairedMetric<T>(compute: (metric: PairedMetricName) => T): Record<PairedMetricName, T> {
  return Object.fromEntries(PAIRED_METRIC_NAMES.map((metric) => [metric, compute(metric)])) as Record<
    PairedMetricName,
    T
  >;
}

function summariseArm(name: string, records: readonly ArmRunRecord[]): ArmSummary {
  const metrics = METRIC_NAMES.map((metric) => {
    return [metric, summarise(records.map((record) => record.metrics[metric] ?? null))] as const;
  });
  return {
    description: ARMS[name]!.description,
    metrics: Object.fromEntries(metrics) as Record<MetricName, MetricSummary>,
    parameters: Math.round(meanOf(records, (record) => record.parameters)),
    embeddingParameters: records[0]!.embeddingParameters,
    // Of pruned masks the dense round may win with one seed and not with another: half the multiply-adds.
    multiplyAddsPerRow: Math.round(meanOf(records, (record) => record.multiplyAddsPerRow)),
    trainingSeconds: meanOf(records, (record) => record.trainingSeconds),
    runs: records.map(({ seed, trainingSeconds, curve, validationScore, connections }) => ({
      seed,
      trainingSeconds,
      curve,
      validationScore,
      ...(connections === undefined ? {} : { connections }),
    })),
  };
}

/**
 * Mean and sample standard deviation (n - 1) of the values that are there.
 * @internal exported for tests: a run has no exact deviation to compare with
 */
export function summarise(values: readonly (number | null)[]): MetricSummary {
  const known = values.filter((value) => value !== null);
  const mean = known.length === 0 ? null : meanOf(known, (value) => value);
  const sd =
    mean === null || known.length < 2
      ? null
      : Math.sqrt(sumOf(known, (value) => (value - mean) ** 2) / (known.length - 1));
  return { mean, sd, values };
}
