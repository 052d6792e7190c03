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
      let slot = mix(high, low) & wrap;
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
    let slot = mix(high, low) & wrap;
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

  /** The value at a dense index, as a signed integer. */
  valueAt(index: number): bigint {
    return (BigInt(this.#keys[2 * index + 1]!) << 32n) | BigInt(this.#keys[2 * index]! >>> 0);
  }

  /** Negative when the value at index `a` is below the one at `b`, as signed integers. */
  compare(a: number, b: number): number {
    const highs = this.#keys[2 * a + 1]! - this.#keys[2 * b + 1]!;
    return highs !== 0 ? highs : (this.#keys[2 * a]! >>> 0) - (this.#keys[2 * b]! >>> 0);
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    const wrap = this.#slots.length - 1;
    for (let index = 0; index < this.#size; index++) {
      let slot = mix(this.#keys[2 * index + 1]!, this.#keys[2 * index]!) & wrap;
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

function mix(high: number, low: number): number {
  let h = Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}

/** Finds 64-bit integers, given as signed 32-bit halves, in a fixed list. */
export interface IntLookup {
  /** Writes 1 + position of value i to `ranks[i]`, or 0 when it isn't listed. */
  findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void;
}

/** @param values distinct 64-bit integers; text where a number would lose digits */
export function createIntLookup(values: readonly (string | number)[]): IntLookup {
  const integers = values.map(BigInt);
  let min = 0n;
  let max = 0n;
  for (const value of integers) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const isDense = max - min < 4 * values.length + 1024;
  if (isDense) return new DenseIntLookup(integers.map(Number), Number(min), Number(max));

  const index = new IntIndex();
  for (const value of integers) {
    index.findOrAdd(Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)));
  }
  return index;
}

/** Values that fill much of a small range around 0, as most categories do: a subtraction finds them. */
class DenseIntLookup implements IntLookup {
  readonly #min: number;
  readonly #rankOf: Int32Array;

  constructor(values: readonly number[], min: number, max: number) {
    this.#min = min;
    this.#rankOf = new Int32Array(max - min + 1);
    values.forEach((value, position) => {
      this.#rankOf[value - min] = position + 1;
    });
  }

  findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void {
    const rankOf = this.#rankOf;
    const size = rankOf.length;
    const min = this.#min;
    for (let i = 0; i < count; i++) {
      const low = lows[i]!;
      const at = low - min;
      ranks[i] = highs[i] === low >> 31 && at >= 0 && at < size ? rankOf[at]! : 0;
    }
  }
}
