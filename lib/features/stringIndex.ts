import { grown } from './intIndex.ts';

/** Finds byte strings in a fixed list. */
export interface StringLookup {
  /** Writes 1 + position of `bytes[offsets[from + i] .. offsets[from + i + 1])` to `ranks[i]`, or 0 when it isn't listed. */
  findAll(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ranks: Int32Array): void;
}

/** Most bytes that an index holds: where its strings end is kept in 32 bits. */
const MAX_TEXT_BYTES = 2 ** 31 - 1;

/**
 * Maps distinct byte strings to dense indices in order of insertion. The bytes are copied into one arena and
 * compared in full, so two different strings never share an index.
 */
export class StringIndex implements StringLookup {
  #slots = new Int32Array(32); // index + 1; 0 = empty; a power of two, at most half full
  #hashes = new Int32Array(16);
  #ends = new Int32Array(16); // string i is arena[ends[i] .. ends[i + 1])
  #arena = new Uint8Array(256);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of all strings together. */
  get textBytes(): number {
    return this.#ends[this.#size]!;
  }

  /** Writes 1 + index of `bytes[offsets[from + i] .. offsets[from + i + 1])` to `ranks[i]`, or 0 when it isn't there. */
  findAll(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ranks: Int32Array): void {
    for (let i = 0; i < count; i++) {
      const start = offsets[from + i]!;
      const end = offsets[from + i + 1]!;
      ranks[i] = this.#slots[this.#findSlot(bytes, start, end, hashText(bytes, start, end))]!;
    }
  }

  /** Index of `bytes[start..end)`, added at the end when it is new. */
  findOrAdd(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashText(bytes, start, end);
    const slot = this.#findSlot(bytes, start, end, hash);
    const rank = this.#slots[slot]!;
    if (rank !== 0) return rank - 1;

    const index = this.#size;
    const from = this.#ends[index]!;
    const to = from + end - start;
    if (to > MAX_TEXT_BYTES) throw new RangeError(`more than ${MAX_TEXT_BYTES} bytes of distinct strings`);
    if (to > this.#arena.length) {
      const larger = new Uint8Array(Math.max(to, Math.min(2 * this.#arena.length, MAX_TEXT_BYTES)));
      larger.set(this.#arena);
      this.#arena = larger;
    }
    this.#arena.set(bytes.subarray(start, end), from);
    if (++this.#size === this.#ends.length) {
      this.#hashes = grown(this.#hashes);
      this.#ends = grown(this.#ends);
    }
    this.#ends[index + 1] = to;
    this.#hashes[index] = hash;
    this.#slots[slot] = index + 1;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return index;
  }

  /** Index of `bytes[start..end)`, or -1 when it isn't there. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#slots[this.#findSlot(bytes, start, end, hashText(bytes, start, end))]! - 1;
  }

  /** The bytes at a dense index, valid until the next addition. */
  bytesAt(index: number): Uint8Array {
    return this.#arena.subarray(this.#ends[index], this.#ends[index + 1]);
  }

  lengthAt(index: number): number {
    return this.#ends[index + 1]! - this.#ends[index]!;
  }

  /** As `hashText` gives it. */
  hashAt(index: number): number {
    return this.#hashes[index]!;
  }

  /** The byte at a depth of a string, or -1 behind its end. */
  byteAt(index: number, depth: number): number {
    const at = this.#ends[index]! + depth;
    return at < this.#ends[index + 1]! ? this.#arena[at]! : -1;
  }

  /** Negative when the string at index `a` comes before the one at `b`, byte by byte. */
  compare(a: number, b: number): number {
    return Buffer.compare(this.bytesAt(a), this.bytesAt(b));
  }

  /** The slot that holds the string, or the empty one where it belongs. */
  #findSlot(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    const wrap = slots.length - 1;
    let slot = hash & wrap;
    for (let rank = slots[slot]!; rank !== 0; rank = slots[slot]!) {
      if (this.#hashes[rank - 1] === hash && this.#equals(rank - 1, bytes, start, end)) break;
      slot = (slot + 1) & wrap;
    }
    return slot;
  }

  #equals(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = this.#arena;
    let at = this.#ends[index]!;
    if (this.#ends[index + 1]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (bytes[i] !== arena[at++]) return false;
    return true;
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    const wrap = this.#slots.length - 1;
    for (let index = 0; index < this.#size; index++) {
      let slot = this.#hashes[index]! & wrap;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & wrap;
      this.#slots[slot] = index + 1;
    }
  }
}

/** FNV-1a with a final mix, signed. Vocabulary files are in its order: it never changes. The model's buckets come from hash64.ts. */
export function hashText(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
