import { IntIndex } from './intIndex.ts';

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
  const isDense = max - min < 4 * values.length + 1024 && min >= -(2n ** 30n) && max < 2n ** 30n;
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
