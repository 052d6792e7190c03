import { slotsNeeded, sortByHash } from './hashOrder.ts';
import { mixInt64 } from './intIndex.ts';
import { places } from './sortByKey.ts';
import {
  allocateVocabulary,
  homeShift,
  homesFor,
  readVocabularyHeader,
  slotsOf,
  type VocabularyHeader,
} from './vocabularyFile.ts';

/** Finds 64-bit integers, given as signed 32-bit halves, in a fixed list. */
export interface IntLookup {
  /** Writes 1 + position of value i to `ranks[i]`, or 0 when it isn't listed. */
  findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void;
}

/** 32-bit halves of 64-bit integers: low, high of value 0, low, high of value 1, ... */
export type IntHalves = Int32Array;

/**
 * A vocabulary file of integers, dense where that is no larger than four words per value and 4 KiB.
 * @param order of the distinct values that it has, by falling frequency: places in `halves`
 */
export function encodeIntVocabulary(halves: IntHalves, order: Uint32Array): Uint8Array {
  let first = 0;
  let last = 0;
  for (const at of order) {
    const value = halves[2 * at + 1]! * 2 ** 32 + (halves[2 * at]! >>> 0);
    if (value < first) first = value;
    if (value > last) last = value;
  }
  const isDense = last - first < 4 * order.length + 1024;
  return isDense ? encodeDense(halves, order, first, last - first + 1) : encodeHashed(halves, order);
}

function encodeDense(halves: IntHalves, order: Uint32Array, firstInteger: number, slots: number): Uint8Array {
  const header = {
    layout: 'dense',
    entries: order.length,
    slots,
    homes: 0,
    firstInteger,
    textBytes: 0,
  } as const;
  const bytes = allocateVocabulary(header);
  const rankOf = slotsOf(bytes, header);
  for (let rank = 0; rank < order.length; rank++) rankOf[halves[2 * order[rank]!]! - firstInteger] = rank + 1;
  return bytes;
}

function encodeHashed(halves: IntHalves, order: Uint32Array): Uint8Array {
  const entries = order.length;
  const hashes = new Uint32Array(entries);
  for (let rank = 0; rank < entries; rank++) {
    const at = order[rank]!;
    hashes[rank] = mixInt64(halves[2 * at + 1]!, halves[2 * at]!);
  }
  const compare = (a: number, b: number) => compareInts(halves, order[a]!, order[b]!);
  const ranks = sortByHash(hashes, compare);
  const homes = homesFor(entries);
  const slots = slotsNeeded(hashes, ranks, homes);
  const header = { layout: 'hashed', entries, slots, homes, firstInteger: 0, textBytes: 0 } as const;
  const bytes = allocateVocabulary(header);
  const into = slotsOf(bytes, header);
  const shift = homeShift(homes);
  let slot = -1;
  for (const rank of ranks) {
    slot = Math.max(slot + 1, hashes[rank]! >>> shift);
    const at = order[rank]!;
    into[3 * slot] = halves[2 * at]!;
    into[3 * slot + 1] = halves[2 * at + 1]!;
    into[3 * slot + 2] = rank + 1;
  }
  return bytes;
}

/** Negative when the value at `a` is below the one at `b`, as signed integers. */
function compareInts(halves: IntHalves, a: number, b: number): number {
  const highs = halves[2 * a + 1]! - halves[2 * b + 1]!;
  return highs !== 0 ? highs : (halves[2 * a]! >>> 0) - (halves[2 * b]! >>> 0);
}

/** Values that fill much of a short range around 0, as most categories do: a subtraction finds them. */
export class DenseIntVocabulary implements IntLookup {
  readonly #first: number;
  readonly #rankOf: Int32Array;

  constructor(bytes: Uint8Array, header: VocabularyHeader) {
    this.#first = header.firstInteger;
    this.#rankOf = slotsOf(bytes, header);
  }

  findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void {
    const rankOf = this.#rankOf;
    const size = rankOf.length;
    const first = this.#first;
    for (let i = 0; i < count; i++) {
      const low = lows[i]!;
      const at = low - first;
      ranks[i] = highs[i] === low >> 31 && at >= 0 && at < size ? rankOf[at]! : 0;
    }
  }

  forEachValue(callback: (rank: number, text: () => string) => void): void {
    this.#rankOf.forEach((rank, at) => {
      if (rank !== 0) callback(rank, () => String(this.#first + at));
    });
  }
}

export class HashedIntVocabulary implements IntLookup {
  /** Low half, high half, rank. */
  readonly #slots: Int32Array;
  readonly #shift: number;

  constructor(bytes: Uint8Array, header: VocabularyHeader) {
    this.#slots = slotsOf(bytes, header);
    this.#shift = homeShift(header.homes);
  }

  findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void {
    const slots = this.#slots;
    const shift = this.#shift;
    for (let i = 0; i < count; i++) {
      const high = highs[i]!;
      const low = lows[i]!;
      let at = 3 * (mixInt64(high, low) >>> shift);
      let rank = slots[at + 2]!;
      while (rank !== 0 && (slots[at] !== low || slots[at + 1] !== high)) {
        at += 3;
        rank = slots[at + 2]!;
      }
      ranks[i] = rank;
    }
  }

  forEachValue(callback: (rank: number, text: () => string) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += 3) {
      if (slots[at + 2] === 0) continue;
      const text = () => String((BigInt(slots[at + 1]!) << 32n) | BigInt(slots[at]! >>> 0));
      callback(slots[at + 2]!, text);
    }
  }
}

/** @param values 64-bit integers, text where a number would lose digits; of a value that is listed twice one place counts */
export function createIntLookup(values: readonly (string | number)[]): IntLookup {
  const halves = new BigInt64Array(values.map(BigInt));
  const bytes = encodeIntVocabulary(new Int32Array(halves.buffer), places(values.length));
  const header = readVocabularyHeader(bytes);
  return header.layout === 'dense'
    ? new DenseIntVocabulary(bytes, header)
    : new HashedIntVocabulary(bytes, header);
}
