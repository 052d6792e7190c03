import { z } from 'zod';

/** Metrics of the comparison's table, in its order. AUCs, log losses and calibration ratios on the report rows. */
export const METRIC_NAMES = [
  'click.auc',
  'click.gauc',
  'click.logLoss',
  'click.calibration',
  'conversion.auc',
  'conversion.logLoss',
  'conversion.calibration',
  'ctcvr.auc',
] as const;
export type MetricName = (typeof METRIC_NAMES)[number];

/** Metrics with a paired difference and its interval. */
export const PAIRED_METRIC_NAMES = ['click.auc', 'conversion.auc', 'ctcvr.auc'] as const;
export type PairedMetricName = (typeof PAIRED_METRIC_NAMES)[number];

/** A metric over the seeds. */
export interface MetricSummary {
  /** Null where the report rows have one class only. */
  readonly mean: number | null;
  /** Standard deviation of a sample (n - 1); null with fewer than two values. */
  readonly sd: number | null;
  /** One per seed, in the order of `seeds`. */
  readonly values: readonly (number | null)[];
}

const auc = z.number().nullable();

/** One validation of a run, for its learning curve. */
export const learningPointSchema = z.strictObject({
  step: z.int(),
  epoch: z.int(),
  /** On the validation rows; null with one class only, or when the run doesn't learn the task. */
  clickAuc: auc,
  conversionAuc: auc,
});
export type LearningPoint = z.infer<typeof learningPointSchema>;

/** How the connections of one trunk layer are used by the two tasks. */
export const layerConnectionsSchema = z.strictObject({
  /** From 0. */
  layer: z.int(),
  inputWidth: z.int(),
  outputWidth: z.int(),
  shared: z.int(),
  clickOnly: z.int(),
  conversionOnly: z.int(),
  dead: z.int(),
  /** |both| / |either|; 1 when both are empty. */
  jaccard: z.number(),
  /** Jaccard expected of two independent random masks of the same densities. */
  chanceJaccard: z.number(),
  /** Jaccard of the masks for unrelated tasks from the same initialisation: what the common theta0 alone explains. */
  unrelatedJaccard: z.number().nullable(),
});
export type LayerConnections = z.infer<typeof layerConnectionsSchema>;

/** One arm trained with one seed. */
interface ArmRun {
  readonly seed: number;
  readonly trainingSeconds: number;
  readonly curve: readonly LearningPoint[];
  /** As TrainedArm's: of tasks that are trained apart, each has its own best validation, which flatters them. */
  readonly validationScore: number;
  /** Layers of the trunk; absent for arms without masks. */
  readonly connections?: readonly LayerConnections[];
}

export interface ArmSummary {
  /** What the arm is, in one sentence. */
  readonly description: string;
  readonly metrics: Readonly<Record<MetricName, MetricSummary>>;
  /** Numbers that a task's scores depend on outside the embeddings, summed over the model; pruned ones don't count. Mean over the seeds. */
  readonly parameters: number;
  readonly embeddingParameters: number;
  /** Multiply-adds to score one row for both tasks, the embeddings' look-up left out. Mean over the seeds. */
  readonly multiplyAddsPerRow: number;
  /** Mean over the seeds, of all trainings that the arm needs (searches too). */
  readonly trainingSeconds: number;
  readonly runs: readonly ArmRun[];
}

/** Difference of the reference arm and another, reference minus other, on the same rows and seeds. */
export interface PairedDifference {
  readonly mean: number;
  /** 95% interval by a bootstrap over `bootstrapUnit` and seeds. */
  readonly low: number;
  readonly high: number;
  /** One per seed. */
  readonly values: readonly number[];
}

export interface ComparisonDocument {
  readonly formatVersion: 1;
  readonly codeVersion: string;
  readonly data: string;
  readonly trainSplit: string;
  readonly validationSplit: string;
  readonly reportSplit: string;
  readonly reportRows: number;
  readonly reportClicks: number;
  readonly conversionLabel: string;
  /** What intervals draw: users with all of their rows where the config names them. */
  readonly bootstrapUnit: 'users' | 'rows';
  readonly seeds: readonly number[];
  /** The default NCS arm, from which differences are taken. */
  readonly reference: string;
  /** By name, in the order of the table; names of NCS arms begin with `ncs`. */
  readonly arms: Readonly<Record<string, ArmSummary>>;
  /** By arm (the reference left out), then by metric. */
  readonly paired: Readonly<Record<string, Readonly<Record<PairedMetricName, PairedDifference>>>>;
}
