/**
 * Maps distinct 64-bit integers, given as signed 32-bit halves, to dense indices in order of insertion.
 * Open addressing with linear probing: a JavaScript Map would need a BigInt per value.
 */
export class IntIndex {
  #slots = new Int32Array(32); // index + 1; 0 = empty; a power of two, at most half full
  #keys = new Int32Array(32); // low, high of value 0, low, high of value 1, ...
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Writes 1 + index of value i to `ranks[i]`, or 0 when it isn't there. */
  findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void {
    const slots = this.#slots;
    const keys = this.#keys;
    const wrap = slots.length - 1;
    for (let i = 0; i < count; i++) {
      const high = highs[i]!;
      const low = lows[i]!;
      let slot = mixInt64(high, low) & wrap;
      let rank = slots[slot]!;
      while (rank !== 0 && (keys[2 * rank - 2] !== low || keys[2 * rank - 1] !== high)) {
        slot = (slot + 1) & wrap;
        rank = slots[slot]!;
      }
      ranks[i] = rank;
    }
  }

  /** Index of the value, added at the end when it is new. */
  findOrAdd(high: number, low: number): number {
    const wrap = this.#slots.length - 1;
    let slot = mixInt64(high, low) & wrap;
    for (let rank = this.#slots[slot]!; rank !== 0; rank = this.#slots[slot]!) {
      if (this.#keys[2 * rank - 2] === low && this.#keys[2 * rank - 1] === high) return rank - 1;
      slot = (slot + 1) & wrap;
    }
    const index = this.#size++;
    if (2 * index === this.#keys.length) this.#keys = grown(this.#keys);
    this.#keys[2 * index] = low;
    this.#keys[2 * index + 1] = high;
    this.#slots[slot] = index + 1;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return index;
  }

  /** Low and high half of value 0, of value 1, ... and, behind the last one, anything; until the next addition. */
  get halves(): Int32Array {
    return this.#keys;
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    const wrap = this.#slots.length - 1;
    for (let index = 0; index < this.#size; index++) {
      let slot = mixInt64(this.#keys[2 * index + 1]!, this.#keys[2 * index]!) & wrap;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & wrap;
      this.#slots[slot] = index + 1;
    }
  }
}

export function grown(array: Int32Array) {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** A hash of a 64-bit integer, signed. Vocabulary files are in its order: it never changes. */
export function mixInt64(high: number, low: number): number {
  let h = Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
