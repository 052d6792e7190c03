import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { bucketOf } from '../features/featureNumbers.ts';
import type { FeatureBins } from './featureBins.ts';

/** Values in each bin of each feature, both in the order of FeatureEncoder.counts. */
export type BinCounts = readonly (readonly number[])[];

/** Values of rows [start, end) by bin. @param bins in the order of FeatureEncoder.counts */
export function countFeatureBins(
  layout: FeatureLayout,
  bins: readonly FeatureBins[],
  { singleRows, listRows, listWeights, dense }: EncodedRows,
  start: number,
  end: number,
): BinCounts {
  const { singles, lists, numerics, listWidth, denseWidth } = layout;
  const counts = bins.map(({ ends }) => new Array<number>(ends.length + 1).fill(0));
  let feature = 0;
  for (const [index, { table }] of singles.entries()) {
    const [into, { ends }] = [counts[feature]!, bins[feature]!];
    for (let row = start, at = start * singles.length + index; row < end; row++, at += singles.length) {
      const id = singleRows[at]! - table.rowStart;
      if (id > 0) into[bucketOf(ends, id)]!++;
    }
    feature++;
  }
  for (const { table, position, feature: list } of lists) {
    const [into, { ends }] = [counts[feature]!, bins[feature]!];
    for (let row = start; row < end; row++) {
      const first = row * listWidth + position;
      for (let at = first; at < first + list.maxLength && listWeights[at] !== 0; at++) {
        into[bucketOf(ends, listRows[at]! - table.rowStart)]!++;
      }
    }
    feature++;
  }
  for (let index = 0; index < numerics.length; index++, feature++) {
    const [into, { ends }] = [counts[feature]!, bins[feature]!];
    for (let row = start, at = start * denseWidth + 2 * index; row < end; row++, at += denseWidth) {
      if (dense[at + 1] === 0) into[bucketOf(ends, dense[at]!)]!++;
    }
  }
  return counts;
}

/** Sums of counts over the same bins. */
export function addBinCounts(a: BinCounts, b: BinCounts): BinCounts {
  return a.map((counts, feature) => counts.map((count, bin) => count + b[feature]![bin]!));
}
