/**
 * Order of float32 scores from low to high, by a two-pass radix sort on their bits: comparison sorts take several
 * times as long on a million rows. NaN is not allowed.
 */
export function ascendingOrder(scores: Float32Array): Uint32Array {
  const count = scores.length;
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, count);
  const keys = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    // -0 and 0 are equal scores but different bits.
    const own = scores[i] === 0 ? 0 : bits[i]!;
    keys[i] = own & 0x80000000 ? ~own : own | 0x80000000;
  }
  let from = Uint32Array.from({ length: count }, (_, i) => i);
  let to = new Uint32Array(count);
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(65_537);
    for (let i = 0; i < count; i++) starts[((keys[i]! >>> shift) & 0xffff) + 1]!++;
    for (let digit = 0; digit < 65_536; digit++) starts[digit + 1]! += starts[digit]!;
    for (let i = 0; i < count; i++) {
      const row = from[i]!;
      to[starts[(keys[row]! >>> shift) & 0xffff]!++] = row;
    }
    [from, to] = [to, from];
  }
  return from;
}

/**
 * AUC with mid-ranks for ties: P(score of a positive > score of a negative) + P(equal) / 2. A soft label y counts
 * as y of a positive and 1 - y of a negative. Null when either class is absent.
 */
export function rankAuc(scores: Float32Array, labels: Float32Array): number | null {
  const order = ascendingOrder(scores);
  let positives = 0;
  let negatives = 0;
  let wins = 0;
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]!]!;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; i < order.length && scores[order[i]!] === score; i++) {
      const label = labels[order[i]!]!;
      tiedPositives += label;
      tiedNegatives += 1 - label;
    }
    wins += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return positives > 0 && negatives > 0 ? wins / (positives * negatives) : null;
}
