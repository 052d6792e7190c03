import { Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';

export const FINGERPRINT_BYTES = 8;
/** Fingerprints of one read: 8 MiB. */
const MOST_PER_READ = 2 ** 20;
/** A file of so many is read whole at its first read, and kept: 64 KiB. */
const MOST_KEPT = 2 ** 13;

/** Reads of a file of so many fingerprints in so many ranges, about: a guess of a range's length may be too short. */
export function readsOfFingerprints(count: number, ranges: number): number {
  return count <= MOST_KEPT ? 1 : Math.max(ranges, Math.ceil(count / MOST_PER_READ));
}

/** Whose values a range of a file is for. */
export interface FingerprintSink {
  /** Values, each once and in ascending order, as two words each. `repeats`: how many more times the last one is in this file. */
  readonly take: (words: Uint32Array, repeats: number) => void;
  /** Whether a file of so many bytes may be kept in memory from now on. */
  readonly mayKeep: (sizeBytes: number) => boolean;
}

/**
 * The sorted fingerprints of one part, read once from start to end, a range of values at a time. How far a range reaches is
 * guessed, since hashes are spread evenly; where they aren't, because keys repeat, twice as much is read next.
 */
export class FingerprintFile {
  readonly #uri: string;
  readonly #known: FileStat;
  readonly #count: number;
  #next = 0;
  /** Of the upper 32 bits: where the next range starts. */
  #start = 0;
  #kept: Uint32Array | undefined;

  constructor(uri: string, known: FileStat) {
    this.#uri = uri;
    this.#known = known;
    this.#count = known.sizeBytes / FINGERPRINT_BYTES;
  }

  /**
   * All values whose upper 32 bits are below `end` and that no earlier call gave.
   * @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID for a file that isn't sorted; StorageError
   */
  async readUpTo(end: number, sink: FingerprintSink): Promise<void> {
    let [low, high, repeats] = [0, -1, 0];
    /** Whether the value at hand isn't given yet, and isn't among those of `words` that aren't either. */
    let isApart = false;
    let isBelow = true;
    const giveApart = () => {
      if (isApart) sink.take(Uint32Array.of(low, high), repeats);
      [isApart, repeats] = [false, 0];
    };
    for (let guess = 1; isBelow && this.#next < this.#count; guess *= 2) {
      const words = await this.#read(end, guess, sink);
      /** Of those that aren't given yet. */
      let start = 0;
      const giveUpTo = (before: number) => {
        if (before > start) sink.take(words.subarray(start, before), 0);
      };
      let at = 0;
      for (; at < words.length; at += 2) {
        const nextHigh = words[at + 1]!;
        if (nextHigh >= end) {
          isBelow = false;
          break;
        }
        const nextLow = words[at]!;
        if (nextHigh === high && nextLow === low) {
          if (!isApart) giveUpTo(at - 2);
          isApart = true;
          repeats++;
          continue;
        }
        if (nextHigh < high || nextHigh < this.#start || (nextHigh === high && nextLow < low))
          throw this.#unsorted();
        if (isApart) {
          giveApart();
          start = at;
        }
        [low, high] = [nextLow, nextHigh];
      }
      // The last one may be the next read's first.
      if (!isApart) giveUpTo(at - 2);
      isApart = high >= 0;
      this.#next += at / 2;
    }
    giveApart();
    this.#start = end;
  }

  async #read(end: number, guess: number, { mayKeep }: FingerprintSink): Promise<Uint32Array> {
    if (this.#kept !== undefined) return this.#kept.subarray(2 * this.#next);
    const left = this.#count - this.#next;
    if (this.#next === 0 && left <= MOST_KEPT && mayKeep(this.#known.sizeBytes)) {
      this.#kept = await this.#readRange(0, left);
      return this.#kept;
    }
    const expected = (guess * left * (end - this.#start)) / (2 ** 32 - this.#start);
    const wanted = Math.ceil(expected + 8 * Math.sqrt(expected) + 64);
    return this.#readRange(this.#next, Math.min(wanted, left, MOST_PER_READ));
  }

  async #readRange(first: number, count: number): Promise<Uint32Array> {
    const file = await storageFor(this.#uri).open(this.#uri, this.#known);
    try {
      const words = new Uint32Array(2 * count);
      await file.readInto(new Uint8Array(words.buffer), first * FINGERPRINT_BYTES);
      return words;
    } finally {
      await file.close();
    }
  }

  #unsorted(): Ncs4cvrError {
    return new Ncs4cvrError(
      'PUBLISH_DOCUMENT_INVALID',
      "these aren't the fingerprints of a part's keys; delete the file, it is made anew from the part",
      { file: this.#uri, expected: '64-bit integers in ascending order', found: 'another order' },
    );
  }
}
