/**
 * The Mann-Whitney statistic of rows that come by ascending score, one group of equal scores at a time; tied pairs count
 * one half (mid-ranks; Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).
 */
export class MannWhitney {
  #concordant = 0;
  #positives = 0;
  #negatives = 0;

  /** All positive and negative rows of the next higher score. Rows may count in parts or several times. */
  addTies(positives: number, negatives: number): void {
    this.#concordant += positives * (this.#negatives + negatives / 2);
    this.#positives += positives;
    this.#negatives += negatives;
  }

  /** Share of concordant pairs, in [0, 1]; null without positives or without negatives. */
  get auc(): number | null {
    if (this.#positives <= 0 || this.#negatives <= 0) return null;
    return this.#concordant / (this.#positives * this.#negatives);
  }
}

const DIGITS = 1 << 16;

/**
 * Row numbers by ascending score, equal scores in row order; -0 equals 0. Radix sort of the float32 bits in two
 * passes: linear time, 12 bytes per row while it runs, 4 of them in the result. No score may be NaN.
 */
export function scoreOrder(scores: Float32Array): Uint32Array {
  const rowCount = scores.length;
  const keys = orderedBits(scores);
  let from = new Uint32Array(rowCount);
  for (let row = 0; row < rowCount; row++) from[row] = row;
  let to = new Uint32Array(rowCount);
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(DIGITS + 1);
    for (let row = 0; row < rowCount; row++) {
      const next = ((keys[row]! >>> shift) & (DIGITS - 1)) + 1;
      starts[next] = starts[next]! + 1;
    }
    for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1] = starts[digit + 1]! + starts[digit]!;
    for (let i = 0; i < rowCount; i++) {
      const row = from[i]!;
      const digit = (keys[row]! >>> shift) & (DIGITS - 1);
      const place = starts[digit]!;
      to[place] = row;
      starts[digit] = place + 1;
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Unsigned integers in the order of the floats: flip all bits of negative numbers, the sign bit of the others. */
function orderedBits(scores: Float32Array): Uint32Array {
  const normalised = new Float32Array(scores.length);
  // Adding 0 turns -0 into 0.
  for (let row = 0; row < scores.length; row++) normalised[row] = scores[row]! + 0;
  const bits = new Uint32Array(normalised.buffer);
  for (let row = 0; row < bits.length; row++) {
    const value = bits[row]!;
    bits[row] = value & 0x80000000 ? ~value : value | 0x80000000;
  }
  return bits;
}

/**
 * AUC of the rows `order[start..end)`, which ascend by score. A row of label y is y positive and 1 - y negative rows
 * of the same score.
 * @returns null when all labels are 0 or all are 1
 */
export function sortedAuc(
  order: Uint32Array,
  start: number,
  end: number,
  scores: Float32Array,
  labels: Float32Array,
): number | null {
  const ranked = new MannWhitney();
  for (let i = start; i < end; ) {
    const score = scores[order[i]!]!;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    // A NaN equals nothing, not even itself: at least one row is taken, or it would be looked at for ever.
    do {
      const label = labels[order[i]!]!;
      tiedPositives += label;
      tiedNegatives += 1 - label;
      i++;
    } while (i < end && scores[order[i]!] === score);
    ranked.addTies(tiedPositives, tiedNegatives);
  }
  return ranked.auc;
}

/** AUC of rows in any order; see `sortedAuc`. */
export function rankAuc(scores: Float32Array, labels: Float32Array): number | null {
  return sortedAuc(scoreOrder(scores), 0, scores.length, scores, labels);
}
