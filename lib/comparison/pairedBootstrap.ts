import { MannWhitney } from '../metrics/mannWhitney.ts';
import { scoreOrder } from '../metrics/scoreOrder.ts';
import { RandomStream } from '../randomStream.ts';
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

/** What an AUC needs of one run, in the order of its scores: a resample then looks up nothing but how often a row was drawn. */
interface RankedScores {
  /** Rows that count, ascending by score. */
  readonly rows: Uint32Array;
  /** Of these rows. */
  readonly labels: Float32Array;
  /** Where in `rows` each group of equal scores ends. */
  readonly tieEnds: Uint32Array;
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
  const rows = isClickedOnly ? order.filter((row) => click[row] === 1) : order;
  // Past the last row there is no score, which differs from any.
  const isTieEnd = (end: number) => scores[rows[end - 1]!] !== scores[rows[end]!];
  return {
    rows,
    labels: Float32Array.from(rows, (row) => labels[row]!),
    tieEnds: Uint32Array.from(rows, (_, at) => at + 1).filter(isTieEnd),
  };
}

/** Every row counts as often as it was drawn. */
function resampledAuc({ rows, labels, tieEnds }: RankedScores, counts: Uint16Array): number | null {
  const ranked = new MannWhitney();
  let at = 0;
  for (const end of tieEnds) {
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; at < end; at++) {
      const count = counts[rows[at]!]!;
      const label = labels[at]!;
      tiedPositives += count * label;
      tiedNegatives += count * (1 - label);
    }
    ranked.addTies(tiedPositives, tiedNegatives);
  }
  return ranked.auc;
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
