import type { MetricSummary, PairedDifference } from './comparisonDocument.ts';
import type { Resample, ResampledAucs } from './resampleAucs.ts';

/** Mean and sample standard deviation (n - 1) of the values that are there. */
export function summarise(values: readonly (number | null)[]): MetricSummary {
  const known = values.filter((value) => value !== null);
  const mean = known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  const sd =
    mean === null || known.length < 2
      ? null
      : Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length - 1));
  return { mean, sd, values };
}

/**
 * Difference of two arms' AUCs, reference minus other, with a 95% percentile interval (Efron and Tibshirani 1993,
 * chapter 13), which covers the noise of rows and of training seeds.
 * @param other the same resamples, with runs of the same seeds in the same order
 */
export function pairedDifference(reference: ResampledAucs, other: ResampledAucs): PairedDifference {
  const values = reference.whole.map((auc, run) => (auc ?? Number.NaN) - (other.whole[run] ?? Number.NaN));
  const means = reference.resamples
    .map((resample, i) => meanDifference(resample, other.resamples[i]!))
    .filter((value) => value !== null)
    .sort((a, b) => a - b);
  return { mean: mean(values), low: quantile(means, 0.025), high: quantile(means, 0.975), values };
}

/** Over the runs drawn; null where one of them has no AUC. */
function meanDifference(reference: Resample, other: Resample): number | null {
  const drawn: number[] = [];
  for (const run of reference.drawnRuns) {
    const [first, second] = [reference.aucs[run]!, other.aucs[run]!];
    if (first === null || second === null) return null;
    drawn.push(first - second);
  }
  return mean(drawn);
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
