import { scoreOrder } from '../metrics/scoreOrder.ts';
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

/** What an AUC needs of one run: scores in ascending order, with the row and the label of each. */
interface RankedScores {
  readonly rows: Uint32Array;
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
      const [first, second] = [weightedAuc(pair.reference, counts), weightedAuc(pair.other, counts)];
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
  const clicked = metric === 'conversion.auc';
  const rows = Uint32Array.from(pctr.keys()).filter((row) => !clicked || click[row] === 1);
  const scoreOf = (row: number) => {
    if (metric === 'click.auc') return pctr[row]!;
    return clicked ? pcvr[row]! : pctr[row]! * pcvr[row]!;
  };
  const labelOf = (row: number) => {
    if (metric === 'click.auc' || click[row] === 0) return click[row]!;
    return conversion[row]!;
  };
  const scores = Float32Array.from(rows, scoreOf);
  const order = scoreOrder(scores);
  return {
    rows: Uint32Array.from(order, (i) => rows[i]!),
    scores: Float32Array.from(order, (i) => scores[i]!),
    labels: Float32Array.from(order, (i) => labelOf(rows[i]!)),
  };
}

/** AUC with every row counted `counts[row]` times, ties by mid-ranks; as `sortedAuc`, which counts each once. */
function weightedAuc({ rows, scores, labels }: RankedScores, counts: Uint16Array): number | null {
  let concordant = 0;
  let positives = 0;
  let negatives = 0;
  for (let i = 0; i < rows.length; ) {
    const score = scores[i]!;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; i < rows.length && scores[i] === score; i++) {
      const count = counts[rows[i]!]!;
      tiedPositives += count * labels[i]!;
      tiedNegatives += count * (1 - labels[i]!);
    }
    concordant += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return positives > 0 && negatives > 0 ? concordant / (positives * negatives) : null;
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
