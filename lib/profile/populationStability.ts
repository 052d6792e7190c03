/** Added to every bin, so that an empty one doesn't make the index infinite. */
const SMOOTHING = 0.5;

/**
 * Population stability index of two histograms over the same bins: sum over the bins of (p - q) ln(p / q), with p and q the
 * shares of the rows. 0 for equal shares; by the usual rule of thumb below .1 nothing has moved, and above .25 much has.
 * NaN-free: empty bins are smoothed, and a histogram without rows gives 0.
 */
export function populationStability(found: readonly number[], reference: readonly number[]): number {
  const sum = (counts: readonly number[]) => counts.reduce((total, each) => total + each, 0);
  const [foundRows, referenceRows] = [sum(found), sum(reference)];
  if (foundRows === 0 || referenceRows === 0) return 0;
  const smoothing = SMOOTHING * found.length;
  let index = 0;
  for (const [bin, count] of found.entries()) {
    const p = (count + SMOOTHING) / (foundRows + smoothing);
    const q = (reference[bin]! + SMOOTHING) / (referenceRows + smoothing);
    index += (p - q) * Math.log(p / q);
  }
  return index;
}
