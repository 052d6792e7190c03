import { grown, powerOfTwoAbove } from './intIndex.ts';

/**
 * Maps distinct byte strings to dense indices in order of insertion. The bytes are copied into one arena and
 * compared in full, so two different strings never share an index.
 */
export class StringIndex {
  #capacity: number;
  #slots: Int32Array; // index + 1; 0 = empty
  #hashes = new Int32Array(16);
  #ends = new Int32Array(17); // string i is arena[ends[i] .. ends[i + 1])
  #arena = new Uint8Array(256);
  #size = 0;

  constructor(expectedSize = 16) {
    this.#capacity = powerOfTwoAbove(2 * expectedSize);
    this.#slots = new Int32Array(this.#capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Index of `bytes[start..end)`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#find(bytes, start, end, hashOf(bytes, start, end));
  }

  /** Index of `bytes[start..end)`, added at the end when it is new. */
  findOrAdd(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const found = this.#find(bytes, start, end, hash);
    if (found >= 0) return found;
    if (2 * (this.#size + 1) > this.#capacity) this.#rehash();
    if (this.#size === this.#hashes.length) {
      this.#hashes = grown(this.#hashes);
      this.#ends = grown(this.#ends);
    }
    const from = this.#ends[this.#size]!;
    const to = from + end - start;
    if (to > this.#arena.length) {
      const larger = new Uint8Array(Math.max(to, this.#arena.length * 2));
      larger.set(this.#arena);
      this.#arena = larger;
    }
    this.#arena.set(bytes.subarray(start, end), from);
    this.#ends[this.#size + 1] = to;
    this.#hashes[this.#size] = hash;
    this.#occupy(this.#size);
    return this.#size++;
  }

  /** A copy of the bytes at a dense index. */
  bytesAt(index: number): Uint8Array {
    return this.#arena.slice(this.#ends[index], this.#ends[index + 1]);
  }

  #find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const wrap = this.#capacity - 1;
    for (let slot = hash & wrap; ; slot = (slot + 1) & wrap) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) return -1;
      if (this.#hashes[index] === hash && this.#equals(index, bytes, start, end)) return index;
    }
  }

  #equals(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.#ends[index]!;
    if (this.#ends[index + 1]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (bytes[i] !== this.#arena[at++]) return false;
    return true;
  }

  #occupy(index: number): void {
    const wrap = this.#capacity - 1;
    let slot = this.#hashes[index]! & wrap;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & wrap;
    this.#slots[slot] = index + 1;
  }

  #rehash(): void {
    this.#capacity *= 2;
    this.#slots = new Int32Array(this.#capacity);
    for (let index = 0; index < this.#size; index++) this.#occupy(index);
  }
}

/** FNV-1a with a final mix. Only this process sees these values; the model's buckets come from hash64.ts. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
