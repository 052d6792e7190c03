import { scoreOrder } from '../metrics/scoreOrder.ts';
import { sortedAuc } from '../metrics/sortedAuc.ts';
import { RandomStream } from '../random.ts';
import type { PairedDifference, PairedMetricName, ReportScores, TaskLabels } from './comparisonDocument.ts';

export interface PairedOptions {
  /** One a training seed. */
  readonly reference: readonly ReportScores[];
  /** The same seeds, in the same order, on the same rows. */
  readonly other: readonly ReportScores[];
  /** Clicks 0 or 1; conversions in [0, 1], only meaningful where click is 1. */
  readonly labels: TaskLabels;
  readonly metric: PairedMetricName;
  readonly seed: number;
  readonly resamples?: number;
}

/** What an AUC needs of one run. */
interface RankedScores {
  /** Rows that count, ascending by score. */
  readonly order: Uint32Array;
  /** Of all rows. */
  readonly scores: Float32Array;
  readonly labels: Float32Array;
}

/**
 * Difference of two arms' AUCs, reference minus other, with a 95% percentile interval (Efron and Tibshirani 1993,
 * chapter 13). A resample draws rows with replacement, the same for both arms and all seeds, and then training
 * seeds: the interval covers the noise of both.
 */
export function pairedDifference({
  reference,
  other,
  labels,
  metric,
  seed,
  resamples = 1000,
}: PairedOptions): PairedDifference {
  const ranked = reference.map((scores, i) => ({
    reference: rank(scores, labels, metric),
    other: rank(other[i]!, labels, metric),
  }));
  const rowCount = labels.click.length;
  const differences = (counts: Uint16Array) =>
    ranked.map((pair) => {
      const [first, second] = [resampledAuc(pair.reference, counts), resampledAuc(pair.other, counts)];
      return first === null || second === null ? null : first - second;
    });
  const values = differences(new Uint16Array(rowCount).fill(1)).map((value) => value ?? Number.NaN);

  const random = new RandomStream(seed);
  const means: number[] = [];
  for (let resample = 0; resample < resamples; resample++) {
    const counts = new Uint16Array(rowCount);
    for (let i = 0; i < rowCount; i++) counts[random.nextBelow(rowCount)]!++;
    const found = differences(counts);
    const drawn = found.map(() => found[random.nextBelow(found.length)]!);
    // A resample with one class only has no AUC.
    if (drawn.every((value) => value !== null)) means.push(mean(drawn));
  }
  means.sort((a, b) => a - b);
  return { mean: mean(values), low: quantile(means, 0.025), high: quantile(means, 0.975), values };
}

function rank(
  { pctr, pcvr }: ReportScores,
  { click, conversion }: TaskLabels,
  metric: PairedMetricName,
): RankedScores {
  const isClickedOnly = metric === 'conversion.auc';
  const scores = metric === 'click.auc' ? pctr : isClickedOnly ? pcvr : pctr.map((p, row) => p * pcvr[row]!);
  const labels = Float32Array.from(click);
  if (metric !== 'click.auc') {
    for (let row = 0; row < labels.length; row++) if (click[row] === 1) labels[row] = conversion[row]!;
  }
  const order = scoreOrder(scores);
  return { order: isClickedOnly ? order.filter((row) => click[row] === 1) : order, scores, labels };
}

function resampledAuc({ order, scores, labels }: RankedScores, counts: Uint16Array): number | null {
  return sortedAuc(order, 0, order.length, scores, labels, counts);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Linear between the neighbours. @param sorted ascending; NaN when empty */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
}
