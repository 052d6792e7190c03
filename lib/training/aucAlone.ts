import { type PerTask, perTask, type Task } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { bucketOf } from '../features/featureNumbers.ts';
import { QuantileSample } from '../features/quantileSample.ts';
import { rankAuc } from '../metrics/rankAuc.ts';
import { rowsOfTask } from './taskLabels.ts';
import type { TrainingSet } from './trainingSet.ts';

/** How well one feature, without any other, tells each label. */
export interface AucAlone {
  readonly feature: string;
  /** On validation rows, in [0, 1]; null where one class has fewer than MIN_CLASS_ROWS rows: chance could reach any value. */
  readonly aucs: PerTask<number | null>;
}

/** With so few rows of a class, the AUC of a feature that knows nothing has a standard error of .09. */
const MIN_CLASS_ROWS = 10;
/** A value's mean label counts as if it had been seen so many more times with the mean label of all rows. */
const PRIOR_ROWS = 20;
const NUMBER_BINS = 100;
/** Of a task and a set, evenly spread; a leak needs no more to be seen, and the cost has a bound. */
const MAX_ROWS = 200_000;

/** A feature's values as bins; bin 0 is what a row without any value has. */
interface BinnedFeature {
  readonly name: string;
  readonly binCount: number;
  readonly training: RowBins;
  readonly validation: RowBins;
}

/** Row r has the bins `ids[r * stride + first + k] - base`, k < width, up to the first position whose weight is 0. */
interface RowBins {
  readonly ids: Int32Array;
  readonly stride: number;
  readonly first: number;
  readonly base: number;
  readonly width: number;
  /** Every position is in use by default. */
  readonly weights?: Float32Array;
}

/** Rows of a set that have a label of the task: all, or MAX_ROWS of them. */
interface RowSample {
  /** Ascending. */
  readonly rows: Int32Array;
  /** Of these rows. */
  readonly labels: Float32Array;
}

/**
 * The AUC of each feature alone, in the order singles, lists, numerics of the layout. A value's score is its mean label in
 * training (smoothed), a row's score the mean over its values; numbers are cut into quantile bins. For soft labels, whose
 * own AUC is below 1, the distance from 1/2 is given as a share of the one that the labels themselves would reach.
 *
 * What only shows in two features together, or in the number of a list's values, stays unseen. Takes 12 bytes per row of
 * the largest embedding table.
 * @param trainingSet with rows of both tasks
 */
export function aucsAlone(
  layout: FeatureLayout,
  trainingSet: TrainingSet,
  validationSet: TrainingSet,
): AucAlone[] {
  const tasks = perTask((task) => {
    const validation = sampleRows(validationSet, task);
    return { training: sampleRows(trainingSet, task), validation, highest: highestAuc(validation) };
  });
  return binnedFeatures(layout, trainingSet, validationSet).map((feature) => {
    const aucOf = (task: Task): number | null => {
      const { training, validation, highest } = tasks[task];
      if (highest === null) return null;
      const auc = rankAuc(scoresAlone(feature, training, validation), validation.labels)!;
      return 0.5 + (auc - 0.5) / (2 * highest - 1);
    };
    return { feature: feature.name, aucs: perTask(aucOf) };
  });
}

function sampleRows(set: TrainingSet, task: Task): RowSample {
  const all = rowsOfTask(set, task);
  const count = Math.min(MAX_ROWS, all.length);
  const rows = Int32Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
  return { rows, labels: Float32Array.from(rows, (row) => set[task][row]!) };
}

/** The AUC of the labels as their own scores; null where there are too few rows of a class, or labels that all are equal. */
function highestAuc({ labels }: RowSample): number | null {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  if (Math.min(positives, labels.length - positives) < MIN_CLASS_ROWS) return null;
  const highest = rankAuc(labels, labels)!;
  return highest > 0.5 ? highest : null;
}

function scoresAlone(
  { binCount, training: trainingBins, validation: validationBins }: BinnedFeature,
  training: RowSample,
  validation: RowSample,
): Float32Array {
  const sums = new Float64Array(binCount);
  const counts = new Int32Array(binCount);
  let total = 0;
  for (let i = 0; i < training.rows.length; i++) {
    const label = training.labels[i]!;
    total += label;
    const { start, end } = positionsOf(trainingBins, training.rows[i]!);
    for (let at = start; at < Math.max(end, start + 1); at++) {
      const bin = at < end ? trainingBins.ids[at]! - trainingBins.base : 0;
      sums[bin]! += label;
      counts[bin]!++;
    }
  }
  const prior = (PRIOR_ROWS * total) / training.rows.length;
  const scores = new Float32Array(validation.rows.length);
  for (let i = 0; i < scores.length; i++) {
    const { start, end } = positionsOf(validationBins, validation.rows[i]!);
    let score = 0;
    for (let at = start; at < Math.max(end, start + 1); at++) {
      const bin = at < end ? validationBins.ids[at]! - validationBins.base : 0;
      score += (sums[bin]! + prior) / (counts[bin]! + PRIOR_ROWS);
    }
    scores[i] = score / Math.max(end - start, 1);
  }
  return scores;
}

/** Where the row's values stand in `ids`; an empty range when it has none. */
function positionsOf(
  { stride, first, width, weights }: RowBins,
  row: number,
): { readonly start: number; readonly end: number } {
  const start = row * stride + first;
  let end = start + width;
  if (weights !== undefined) {
    end = start;
    // Values in use come first.
    while (end < start + width && weights[end] !== 0) end++;
  }
  return { start, end };
}

function binnedFeatures(
  { singles, lists, numerics, listWidth, denseWidth }: FeatureLayout,
  trainingSet: TrainingSet,
  validationSet: TrainingSet,
): BinnedFeature[] {
  const inBoth = (binsOf: (set: TrainingSet) => RowBins) => ({
    training: binsOf(trainingSet),
    validation: binsOf(validationSet),
  });
  return [
    ...singles.map(({ name, table }, first) => ({
      name,
      binCount: table.rowCount,
      ...inBoth(({ rows }) => {
        return { ids: rows.singleRows, stride: singles.length, first, base: table.rowStart, width: 1 };
      }),
    })),
    ...lists.map(({ name, table, position, feature }) => ({
      name,
      binCount: table.rowCount,
      ...inBoth(({ rows }) => ({
        ids: rows.listRows,
        stride: listWidth,
        first: position,
        base: table.rowStart,
        width: feature.maxLength,
        weights: rows.listWeights,
      })),
    })),
    ...numerics.map(({ name }, index) => {
      const boundaries = quantiles(trainingSet, denseWidth, 2 * index);
      return {
        name,
        binCount: boundaries.length + 2,
        ...inBoth(({ rowCount, rows: { dense } }) => {
          const ids = Int32Array.from({ length: rowCount }, (_, row) => {
            const at = row * denseWidth + 2 * index;
            return dense[at + 1] === 1 ? 0 : 1 + bucketOf(boundaries, dense[at]!);
          });
          return { ids, stride: 1, first: 0, base: 0, width: 1 };
        }),
      };
    }),
  ];
}

/** @param column of the values in `dense`; the next one flags missing ones */
function quantiles({ rowCount, rows: { dense } }: TrainingSet, width: number, column: number): number[] {
  const sample = new QuantileSample();
  for (let row = 0; row < rowCount; row++) {
    const at = row * width + column;
    if (dense[at + 1] === 0) sample.add(dense[at]!);
  }
  return sample.boundaries(NUMBER_BINS);
}
