import { slotsNeeded, sortByHash } from './hashOrder.ts';
import { hashText, type StringIndex, type StringLookup } from './stringIndex.ts';
import {
  allocateVocabulary,
  homeScale,
  homesFor,
  slotsOf,
  textOf,
  type VocabularyHeader,
} from './vocabularyFile.ts';

/**
 * A vocabulary file of strings.
 * @param order of the strings that it has, by falling frequency: indices in `strings`
 */
export function encodeStringVocabulary(strings: StringIndex, order: Uint32Array): Uint8Array {
  const entries = order.length;
  const hashes = new Uint32Array(entries);
  let textBytes = 0;
  for (let rank = 0; rank < entries; rank++) {
    hashes[rank] = strings.hashAt(order[rank]!);
    textBytes += strings.lengthAt(order[rank]!);
  }
  const ranks = sortByHash(hashes, (a, b) => strings.compare(order[a]!, order[b]!));
  const homes = homesFor(entries);
  const slots = slotsNeeded(hashes, ranks, homes);
  const header = { layout: 'text', entries, slots, homes, firstInteger: 0, textBytes } as const;
  const bytes = allocateVocabulary(header);
  const into = slotsOf(bytes, header);
  const text = textOf(bytes, header);
  const scale = homeScale(homes);
  let slot = 0;
  let start = 0;
  const writeStart = () => {
    into[4 * slot + 2] = start;
    into[4 * slot + 3] = Math.floor(start / 2 ** 32);
  };
  for (const rank of ranks) {
    for (const home = Math.floor(hashes[rank]! * scale); slot < home; slot++) writeStart();
    writeStart();
    into[4 * slot] = hashes[rank]!;
    into[4 * slot + 1] = rank + 1;
    const value = strings.bytesAt(order[rank]!);
    text.set(value, start);
    start += value.length;
    slot++;
  }
  for (; slot < slots; slot++) writeStart();
  return bytes;
}

export class StringVocabulary implements StringLookup {
  /** Hash, rank, start's low and high half. */
  readonly #slots: Int32Array;
  readonly #text: Uint8Array;
  readonly #scale: number;

  constructor(bytes: Uint8Array, header: VocabularyHeader) {
    this.#slots = slotsOf(bytes, header);
    this.#text = textOf(bytes, header);
    this.#scale = homeScale(header.homes);
  }

  findAll(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ranks: Int32Array): void {
    const slots = this.#slots;
    const scale = this.#scale;
    for (let i = 0; i < count; i++) {
      const start = offsets[from + i]!;
      const end = offsets[from + i + 1]!;
      const hash = hashText(bytes, start, end);
      let at = 4 * (((hash >>> 0) * scale) | 0);
      let rank = slots[at + 1]!;
      while (rank !== 0 && !(slots[at] === hash && this.#equals(at, bytes, start, end))) {
        at += 4;
        rank = slots[at + 1]!;
      }
      ranks[i] = rank;
    }
  }

  forEachValue(callback: (rank: number, text: () => string) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length - 4; at += 4) {
      if (slots[at + 1] === 0) continue;
      const text = () =>
        Buffer.from(this.#text.subarray(startAt(slots, at), startAt(slots, at + 4))).toString();
      callback(slots[at + 1]!, text);
    }
  }

  #equals(at: number, bytes: Uint8Array, start: number, end: number): boolean {
    const slots = this.#slots;
    const text = this.#text;
    let own = startAt(slots, at);
    if (startAt(slots, at + 4) - own !== end - start) return false;
    for (let i = start; i < end; i++) if (bytes[i] !== text[own++]) return false;
    return true;
  }
}

/** Where a slot's text begins. @param at of the slot's first word */
export function startAt(slots: Int32Array, at: number): number {
  return slots[at + 3]! * 2 ** 32 + (slots[at + 2]! >>> 0);
}
