/**
 * Maps distinct 64-bit integers, given as signed 32-bit halves, to dense indices in order of insertion.
 * Open addressing with linear probing: a JavaScript Map would need a BigInt per value.
 */
export class IntIndex {
  #capacity: number;
  #slots: Int32Array; // index + 1; 0 = empty
  #highs: Int32Array;
  #lows: Int32Array;
  #size = 0;

  constructor(expectedSize = 16) {
    this.#capacity = powerOfTwoAbove(2 * expectedSize);
    this.#slots = new Int32Array(this.#capacity);
    this.#highs = new Int32Array(Math.max(16, expectedSize));
    this.#lows = new Int32Array(Math.max(16, expectedSize));
  }

  get size(): number {
    return this.#size;
  }

  /** Index of the value, or -1. */
  find(high: number, low: number): number {
    const wrap = this.#capacity - 1;
    for (let slot = mix(high, low) & wrap; ; slot = (slot + 1) & wrap) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) return -1;
      if (this.#lows[index] === low && this.#highs[index] === high) return index;
    }
  }

  /** Index of the value, added at the end when it is new. */
  findOrAdd(high: number, low: number): number {
    const found = this.find(high, low);
    if (found >= 0) return found;
    if (2 * (this.#size + 1) > this.#capacity) this.#rehash();
    if (this.#size === this.#highs.length) {
      this.#highs = grown(this.#highs);
      this.#lows = grown(this.#lows);
    }
    this.#highs[this.#size] = high;
    this.#lows[this.#size] = low;
    this.#occupy(this.#size);
    return this.#size++;
  }

  /** The value at a dense index. */
  valueAt(index: number): bigint {
    return (BigInt(this.#highs[index]!) << 32n) | BigInt(this.#lows[index]! >>> 0);
  }

  #occupy(index: number): void {
    const wrap = this.#capacity - 1;
    let slot = mix(this.#highs[index]!, this.#lows[index]!) & wrap;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & wrap;
    this.#slots[slot] = index + 1;
  }

  #rehash(): void {
    this.#capacity *= 2;
    this.#slots = new Int32Array(this.#capacity);
    for (let index = 0; index < this.#size; index++) this.#occupy(index);
  }
}

export function powerOfTwoAbove(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, count)));
}

export function grown(array: Int32Array) {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

function mix(high: number, low: number): number {
  let h = Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
