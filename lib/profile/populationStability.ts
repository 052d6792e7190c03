/** Rows per bin that are added to both histograms, in the shares of the two together: an empty bin isn't infinitely far then. */
const SMOOTHING = 0.5;

/**
 * Population stability index of two histograms over the same bins: sum over the bins of (p - q) ln(p / q), with p and q the
 * shares of the rows. 0 for equal shares, however few the rows are; by the usual rule of thumb below .1 nothing has moved, and
 * above .25 much has. A histogram without rows gives 0.
 */
export function populationStability(found: readonly number[], reference: readonly number[]): number {
  const [foundRows, referenceRows] = [totalOf(found), totalOf(reference)];
  if (foundRows === 0 || referenceRows === 0) return 0;
  const added = SMOOTHING * found.length;
  let index = 0;
  for (const [bin, count] of found.entries()) {
    const both = count + reference[bin]!;
    if (both === 0) continue;
    const prior = (added * both) / (foundRows + referenceRows);
    const p = (count + prior) / (foundRows + added);
    const q = (reference[bin]! + prior) / (referenceRows + added);
    index += (p - q) * Math.log(p / q);
  }
  return index;
}

/** Rows of a histogram. */
export function totalOf(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Standard deviations that a bound leaves room for, as in gates. */
const DEVIATIONS = 4;

/**
 * A population stability index that two samples of one distribution seldom exceed by chance: once in 100 times with two bins, in
 * 600 with twelve, in 2,600 with 65; gates add it to what may differ anyway. Times the rows it follows a chi-squared
 * distribution of bins - 1 degrees of freedom: mean k, variance 2k, and more far values than a normal one. Rows that aren't
 * independent, such as many of one user, differ more; the day spread of a bound stands for that. Infinite without rows.
 */
export function chanceStability(
  bins: number,
  foundRows: number,
  referenceRows: number,
  deviations = DEVIATIONS,
): number {
  const k = Math.max(1, bins - 1);
  return (k + deviations * Math.sqrt(2 * k)) * (1 / foundRows + 1 / referenceRows);
}
