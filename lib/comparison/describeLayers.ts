import { layerConnections } from '../masks/trainUnderMasks.ts';
import type { NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { LayerConnections } from './comparisonDocument.ts';

/**
 * How every trunk layer is used, with the overlap beside what chance and the common start would give.
 * @param unrelatedConversion the conversion mask found for conversions that no feature explains
 */
export function describeLayers(
  { layerWidths }: NetworkShape,
  masks: TaskMasks,
  unrelatedConversion?: readonly Uint8Array[],
): LayerConnections[] {
  const unrelated =
    unrelatedConversion && layerConnections({ click: masks.click, conversion: unrelatedConversion });
  return layerConnections(masks).map((counts, layer) => {
    const { shared, clickOnly, conversionOnly, dead } = counts;
    const size = shared + clickOnly + conversionOnly + dead;
    const nullCounts = unrelated?.[layer];
    return {
      layer,
      inputWidth: layerWidths[layer]!,
      outputWidth: layerWidths[layer + 1]!,
      ...counts,
      jaccard: jaccard(counts),
      chanceJaccard: chanceJaccard((shared + clickOnly) / size, (shared + conversionOnly) / size),
      unrelatedJaccard: nullCounts === undefined ? null : jaccard(nullCounts),
    };
  });
}

/** |both| / |either|; two empty masks are equal. */
function jaccard({
  shared,
  clickOnly,
  conversionOnly,
}: Record<'shared' | 'clickOnly' | 'conversionOnly', number>) {
  const either = shared + clickOnly + conversionOnly;
  return either === 0 ? 1 : shared / either;
}

/** r1 r2 / (r1 + r2 - r1 r2) of independent masks of these densities (method section 7). */
function chanceJaccard(first: number, second: number): number {
  const both = first * second;
  return first + second === 0 ? 1 : both / (first + second - both);
}
