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
  const kept = weights.flatMap((layer, index) => keptMagnitudes(layer, mask[index]!));
  const sorted = Float32Array.from(kept).sort();
  if (sorted.length === 0) return mask.map((layer) => layer.slice());
  const cut = sorted[Math.min(roundHalfEven(fraction * sorted.length), sorted.length - 1)]!;
  return mask.map((layer, index) => {
    const magnitudes = weights[index]!.map(Math.abs);
    const threshold = Math.min(cut, layerThreshold(magnitudes, layer));
    return layer.map((bit, i) => (bit === 1 && magnitudes[i]! >= threshold ? 1 : 0));
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

function keptMagnitudes(layer: Float32Array, mask: Uint8Array): number[] {
  const kept: number[] = [];
  layer.forEach((weight, i) => {
    if (mask[i] === 1) kept.push(Math.abs(weight));
  });
  return kept;
}

/** The magnitude above which the layer's guaranteed share lies. */
function layerThreshold(magnitudes: Float32Array, mask: Uint8Array): number {
  const kept = Float32Array.from(keptMagnitudes(magnitudes, mask)).sort();
  const least = Math.min(kept.length, Math.max(1, Math.ceil(LEAST_LAYER_SHARE * mask.length)));
  return kept[kept.length - least] ?? Number.POSITIVE_INFINITY;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
