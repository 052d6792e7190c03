import { roundHalfEven } from '../base/roundHalfEven.ts';

/** Share of a layer's connections that no cut may go below: an empty layer would make the logits constant. */
const LEAST_LAYER_SHARE = 0.01;

/**
 * One round of iterative magnitude pruning (method section 6): of all kept weights of all layers together, the
 * `fraction` with the smallest magnitudes is cut; ties at the cut survive, and no layer falls below 1% of its
 * connections (at least one).
 * @param weights per layer, trained under `mask`
 * @param mask per layer, 1 = kept; not changed
 * @returns the next mask, a subset of `mask`
 */
export function pruneByMagnitude(
  weights: readonly Float32Array[],
  mask: readonly Uint8Array[],
  fraction: number,
): Uint8Array[] {
  return keepHighest(
    weights.map((layer) => layer.map(Math.abs)),
    mask,
    fraction,
  );
}

/** The same cut by any value of a connection, such as a learned score; the lowest are cut. */
export function keepHighest(
  values: readonly Float32Array[],
  mask: readonly Uint8Array[],
  fraction: number,
): Uint8Array[] {
  const kept = values.map((layer, index) => layer.filter((_, i) => mask[index]![i] === 1));
  const sorted = new Float32Array(kept.reduce((sum, layer) => sum + layer.length, 0));
  let at = 0;
  for (const layer of kept) {
    sorted.set(layer, at);
    at += layer.length;
  }
  sorted.sort();
  if (sorted.length === 0) return mask.map((layer) => layer.slice());
  const cut = sorted[Math.min(roundHalfEven(fraction * sorted.length), sorted.length - 1)]!;
  return mask.map((layer, index) => {
    const threshold = Math.min(cut, layerThreshold(kept[index]!.sort(), layer.length));
    return layer.map((bit, i) => (bit === 1 && values[index]![i]! >= threshold ? 1 : 0));
  });
}

/** Share of kept connections of one layer or of several, in [0, 1]. */
export function density(mask: readonly Uint8Array[]): number {
  let kept = 0;
  let all = 0;
  for (const layer of mask) {
    all += layer.length;
    for (const bit of layer) kept += bit;
  }
  return all === 0 ? 0 : kept / all;
}

/** How many connections of a layer of `size` are kept whatever they are worth. */
export function leastConnections(size: number): number {
  return Math.max(1, Math.ceil(LEAST_LAYER_SHARE * size));
}

/** The value above which the layer's guaranteed share lies. */
function layerThreshold(sorted: Float32Array, size: number): number {
  const least = Math.min(sorted.length, leastConnections(size));
  return sorted[sorted.length - least] ?? Number.POSITIVE_INFINITY;
}
