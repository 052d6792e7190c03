/** Standard deviations of what chance alone does that a bound leaves room for: one check in 30,000. */
const DEVIATIONS = 4;

/** What the variance of the difference of two means is proportional to: 1/n + 1/m. Infinite without rows: nothing is out of bounds then. */
function inverseRows(foundRows: number, referenceRows: number): number {
  return 1 / foundRows + 1 / referenceRows;
}

/**
 * A population stability index that two samples of one distribution exceed by chance once in some 10,000 times. Times the
 * rows it follows a chi-squared distribution of bins - 1 degrees of freedom: mean k, variance 2k. Rows that aren't
 * independent, such as many of one user, differ more; the day spread of a bound stands for that.
 */
export function chanceStability(bins: number, foundRows: number, referenceRows: number): number {
  const k = Math.max(1, bins - 1);
  return (k + DEVIATIONS * Math.sqrt(2 * k)) * inverseRows(foundRows, referenceRows);
}

/** A difference of two shares that chance exceeds as rarely, from the rows that have the property. */
export function chanceShare(
  foundCount: number,
  foundRows: number,
  referenceCount: number,
  referenceRows: number,
): number {
  // One row more on each side: a share of 0 among ten rows isn't known to be 0.
  const pooled = (foundCount + referenceCount + 1) / (foundRows + referenceRows + 2);
  return DEVIATIONS * Math.sqrt(pooled * (1 - pooled) * inverseRows(foundRows, referenceRows));
}

/** A relative difference of two means that chance exceeds as rarely. @param variation standard deviation over mean, of one row */
export function chanceMean(variation: number, foundRows: number, referenceRows: number): number {
  return DEVIATIONS * variation * Math.sqrt(inverseRows(foundRows, referenceRows));
}
