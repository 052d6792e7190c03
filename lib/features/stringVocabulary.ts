import { slotsNeeded, sortByHash } from './hashOrder.ts';
import { hashText, type StringIndex, type StringLookup } from './stringIndex.ts';
import {
  allocateVocabulary,
  homeShift,
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
  const shift = homeShift(homes);
  let slot = 0;
  let start = 0;
  for (const rank of ranks) {
    for (const home = hashes[rank]! >>> shift; slot < home; slot++) into[3 * slot + 1] = start;
    const value = strings.bytesAt(order[rank]!);
    text.set(value, start);
    into[3 * slot] = hashes[rank]!;
    into[3 * slot + 1] = start;
    into[3 * slot + 2] = rank + 1;
    start += value.length;
    slot++;
  }
  for (; slot < slots; slot++) into[3 * slot + 1] = start;
  return bytes;
}

export class StringVocabulary implements StringLookup {
  /** Hash, start of the text, rank. */
  readonly #slots: Int32Array;
  readonly #text: Uint8Array;
  readonly #shift: number;

  constructor(bytes: Uint8Array, header: VocabularyHeader) {
    this.#slots = slotsOf(bytes, header);
    this.#text = textOf(bytes, header);
    this.#shift = homeShift(header.homes);
  }

  findAll(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ranks: Int32Array): void {
    const slots = this.#slots;
    const shift = this.#shift;
    let start = offsets[from]!;
    for (let i = 0; i < count; i++) {
      const end = offsets[from + i + 1]!;
      const hash = hashText(bytes, start, end);
      let at = 3 * (hash >>> shift);
      let rank = slots[at + 2]!;
      while (rank !== 0 && !(slots[at] === hash && this.#equals(at, bytes, start, end))) {
        at += 3;
        rank = slots[at + 2]!;
      }
      ranks[i] = rank;
      start = end;
    }
  }

  forEachValue(callback: (rank: number, text: () => string) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length - 3; at += 3) {
      if (slots[at + 2] === 0) continue;
      const text = () => Buffer.from(this.#text.subarray(slots[at + 1]!, slots[at + 4]!)).toString();
      callback(slots[at + 2]!, text);
    }
  }

  #equals(at: number, bytes: Uint8Array, start: number, end: number): boolean {
    const slots = this.#slots;
    const text = this.#text;
    let own = slots[at + 1]!;
    if (slots[at + 4]! - own !== end - start) return false;
    for (let i = start; i < end; i++) if (bytes[i] !== text[own++]) return false;
    return true;
  }
}
