/** Standard deviations of what chance alone does that a bound leaves room for: one check in 30,000. */
const DEVIATIONS = 4;

/** What the variance of the difference of two means is proportional to: 1/n + 1/m. Infinite without rows: nothing is out of bounds then. */
function inverseRows(foundRows: number, referenceRows: number): number {
  return 1 / foundRows + 1 / referenceRows;
}

/** A difference of two means, as a share of them, that chance exceeds as rarely where one row varies as much as the mean. */
export function chanceMean(foundRows: number, referenceRows: number): number {
  return DEVIATIONS * Math.sqrt(inverseRows(foundRows, referenceRows));
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

/** How unlikely it must be that so many rows of an ordinary night are alike. */
const BY_CHANCE = 1e-4;

/**
 * Whether so many of a few rows may have a property by chance that a share of all has: the normal distribution behind
 * `chanceShare` knows nothing of five rows that all have what a third has. By Chernoff's bound, share^rows where all of them have it.
 */
export function isByChance(count: number, rows: number, share: number): boolean {
  const found = count / rows;
  if (found <= share) return true;
  const rest = found === 1 ? 0 : (1 - found) * Math.log((1 - found) / (1 - share));
  return Math.exp(-rows * (found * Math.log(found / share) + rest)) >= BY_CHANCE;
}

/**
 * That two samples of one distribution have the same count in every bin, the counts taken as what is expected: two multinomial
 * draws of n rows, by Stirling's formula sqrt(4 pi n) over the product of sqrt(4 pi c) of all bins that aren't empty.
 */
export function chanceOfEqualCounts(counts: readonly number[]): number {
  const filled = counts.filter((count) => count > 0);
  const rows = filled.reduce((sum, count) => sum + count, 0);
  const logOf = (count: number) => Math.log(4 * Math.PI * count) / 2;
  return rows === 0 ? 1 : Math.exp(logOf(rows) - filled.reduce((sum, count) => sum + logOf(count), 0));
}

/** Some rows' mean, and how many they are. */
export interface MeanOfRows {
  readonly mean: number;
  readonly rows: number;
}

/**
 * How many times the smaller one the larger of two means may be by chance, as rarely: when their difference is so many standard
 * deviations of it, as a share of the mean of both together. Infinite for so few rows that their mean may be next to nothing.
 * @param variation standard deviation over mean, of one row
 */
export function chanceRatio(variation: number, a: MeanOfRows, b: MeanOfRows): number {
  const difference = DEVIATIONS * variation * Math.sqrt(inverseRows(a.rows, b.rows));
  const [larger, smaller] = a.mean > b.mean ? [a, b] : [b, a];
  const shareOfLarger = larger.rows / (larger.rows + smaller.rows);
  const left = 1 - difference * shareOfLarger;
  return left <= 0 ? Number.POSITIVE_INFINITY : (1 + difference * (1 - shareOfLarger)) / left;
}
