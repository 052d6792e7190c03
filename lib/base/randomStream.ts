/** What `RandomStream.restore` takes. */
export type RandomState = readonly [number, number, number, number, number | undefined];

/** What tells a branch's state from its parent's. */
const BRANCH = 0x5bd1e995;

/**
 * A seeded stream of random numbers (Chris Doty-Humphrey's sfc32: 128 bits of state, so streams of different seeds
 * don't run into each other). The same seed gives the same numbers on every machine.
 */
export class RandomStream {
  #a: number;
  #b: number;
  #c = 0x9e3779b9 | 0;
  #counter = 1;
  #spareNormal: number | undefined;

  /** @param seed integer in [0, 2^53) */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#mix();
  }

  /** Until every bit of the state depends on every other. */
  #mix(): void {
    for (let round = 0; round < 15; round++) this.nextUniform();
  }

  /** Everything that decides the numbers to come. */
  get state(): RandomState {
    return [this.#a, this.#b, this.#c, this.#counter, this.#spareNormal];
  }

  /** Continues where the stream with this state was. */
  restore([a, b, c, counter, spareNormal]: RandomState): void {
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#counter = counter;
    this.#spareNormal = spareNormal;
  }

  /**
   * Another stream that the state decides, such as for numbers that not every caller needs. This one stays where it is:
   * two branches without a draw between them are the same.
   */
  branch(): RandomStream {
    const stream = new RandomStream(0);
    stream.restore([this.#a ^ BRANCH, this.#b, this.#c, this.#counter, undefined]);
    stream.#mix();
    return stream;
  }

  /** Uniform in [0, 1), 32 bits. */
  nextUniform(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** Uniform integer in [0, bound), bound up to 2^53. */
  nextBelow(bound: number): number {
    if (bound <= 2 ** 32) return Math.floor(this.nextUniform() * bound);
    const high = Math.floor(this.nextUniform() * 2 ** 21);
    const fraction = (high * 2 ** 32 + this.nextUniform() * 2 ** 32) / 2 ** 53;
    // The product can round up to the bound.
    return Math.min(Math.floor(fraction * bound), bound - 1);
  }

  /** Standard normal, by Marsaglia's polar method. */
  nextNormal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const x = 2 * this.nextUniform() - 1;
      const y = 2 * this.nextUniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spareNormal = y * scale;
      return x * scale;
    }
  }

  /** Shuffles in place (Fisher-Yates). */
  shuffle(items: Int32Array): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.nextBelow(i + 1);
      const item = items[i]!;
      items[i] = items[j]!;
      items[j] = item;
    }
  }
}
