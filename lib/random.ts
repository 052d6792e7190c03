/**
 * A seeded stream of random numbers (mulberry32: 32 bits of state, enough for shuffles and initial weights).
 * The same seed gives the same numbers on every machine.
 */
export class RandomStream {
  #state: number;
  #spareNormal: number | undefined;

  constructor(seed: number) {
    // Spread nearby seeds apart, so that streams 1 and 2 share nothing.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed / 2 ** 32);
  }

  /** Uniform in [0, 1), 32 bits. */
  nextUniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Uniform integer in [0, bound), bound up to 2^53. */
  nextBelow(bound: number): number {
    if (bound <= 2 ** 32) return Math.floor(this.nextUniform() * bound);
    const high = Math.floor(this.nextUniform() * 2 ** 21);
    return Math.floor(((high * 2 ** 32 + this.nextUniform() * 2 ** 32) / 2 ** 53) * bound);
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
