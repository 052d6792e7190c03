import { mixInt64 } from './intIndex.ts';
import { hashText } from './stringIndex.ts';
import { type ExpectedVocabulary, openVocabulary } from './vocabulary.ts';
import {
  homeShift,
  homesFor,
  invalidVocabulary,
  MAX_VOCABULARY_ENTRIES,
  readVocabularyHeader,
  slotsOf,
  textOf,
  type VocabularyHeader,
} from './vocabularyFile.ts';

/**
 * Looks at every byte of a vocabulary file, in one pass: whether each value is where a lookup finds it, none is there twice, and
 * the ids are 1, 2, ... A file that passes gives every lookup an end and a right answer.
 * @throws ContractError BUNDLE_VOCABULARY_INVALID
 */
export function checkVocabulary(bytes: Uint8Array, expected: ExpectedVocabulary): void {
  openVocabulary(bytes, expected);
  const header = readVocabularyHeader(bytes);
  if (header.entries > MAX_VOCABULARY_ENTRIES) throw invalidVocabulary(`${header.entries} values`);
  const slots = slotsOf(bytes, header);
  if (header.layout === 'dense') checkDense(slots, header);
  else if (header.layout === 'hashed') checkHashed(slots, header);
  else checkText(slots, textOf(bytes, header), header);
}

function checkDense(slots: Int32Array, { entries, firstInteger, homes }: VocabularyHeader): void {
  if (homes !== 0) throw invalidVocabulary(`${homes} homes`);
  if (firstInteger + slots.length > 2 ** 31)
    throw invalidVocabulary(`integers up to ${firstInteger + slots.length}`);
  const ranks = new RankSet(entries);
  for (const rank of slots) if (rank !== 0) ranks.add(rank);
  ranks.refuseMissing();
}

function checkHashed(slots: Int32Array, header: VocabularyHeader): void {
  const ranks = new RankSet(header.entries);
  const order = new SlotOrder(header);
  for (let slot = 0; slot < header.slots; slot++) {
    const rank = slots[3 * slot + 2]!;
    if (rank === 0) continue;
    const low = slots[3 * slot]!;
    const high = slots[3 * slot + 1]!;
    ranks.add(rank);
    const isAbove = order.add(slot, mixInt64(high, low));
    if (isAbove) continue;
    const before = 3 * (slot - 1);
    const highs = high - slots[before + 1]!;
    if ((highs !== 0 ? highs : (low >>> 0) - (slots[before]! >>> 0)) <= 0) throw outOfOrder(slot);
  }
  ranks.refuseMissing();
  order.refuseUnended();
}

function checkText(slots: Int32Array, text: Uint8Array, header: VocabularyHeader): void {
  const ranks = new RankSet(header.entries);
  const order = new SlotOrder(header);
  let start = 0;
  for (let slot = 0; slot < header.slots; slot++) {
    const at = 3 * slot;
    if (slots[at + 1] !== start) throw invalidVocabulary(`text that starts elsewhere in slot ${slot}`);
    const rank = slots[at + 2]!;
    if (rank === 0) continue;
    // The last slot is empty: a full one has another behind it.
    const end = slots[at + 4] ?? -1;
    if (end < start || end > text.length) throw invalidVocabulary(`text that ends elsewhere in slot ${slot}`);
    ranks.add(rank);
    const hash = hashText(text, start, end);
    if (hash !== slots[at]) throw invalidVocabulary(`another hash in slot ${slot}`);
    const isAbove = order.add(slot, hash);
    if (!isAbove) {
      const before = text.subarray(slots[at - 2], start);
      if (Buffer.compare(before, text.subarray(start, end)) >= 0) throw outOfOrder(slot);
    }
    start = end;
  }
  if (start !== text.length) throw invalidVocabulary(`${text.length} bytes of text, not ${start}`);
  ranks.refuseMissing();
  order.refuseUnended();
}

/** Every value at the only place where it may be, in the order of the hashes. */
class SlotOrder {
  readonly #header: VocabularyHeader;
  readonly #shift: number;
  #lastSlot = -1;
  #lastHash = -1;

  constructor(header: VocabularyHeader) {
    const expected = homesFor(header.entries);
    if (header.homes !== expected) throw invalidVocabulary(`${header.homes} homes, not ${expected}`);
    this.#header = header;
    this.#shift = homeShift(header.homes);
  }

  /** @returns whether the hash is above the last one; where it is the same, the values' order is left to check */
  add(slot: number, signedHash: number): boolean {
    const hash = signedHash >>> 0;
    const expected = Math.max(this.#lastSlot + 1, hash >>> this.#shift);
    if (slot !== expected || hash < this.#lastHash) throw outOfOrder(slot);
    const isAbove = hash > this.#lastHash;
    this.#lastSlot = slot;
    this.#lastHash = hash;
    return isAbove;
  }

  refuseUnended(): void {
    const { homes, slots } = this.#header;
    const expected = Math.max(homes, this.#lastSlot + 1) + 1;
    if (slots !== expected) throw invalidVocabulary(`${slots} slots, not ${expected}`);
  }
}

/** Ids 1 to `entries`, each once. */
class RankSet {
  readonly #entries: number;
  readonly #bits: Uint32Array;
  #size = 0;

  constructor(entries: number) {
    this.#entries = entries;
    this.#bits = new Uint32Array(Math.ceil((entries + 1) / 32));
  }

  add(rank: number): void {
    const bit = 1 << (rank & 31);
    if (rank < 1 || rank > this.#entries || (this.#bits[rank >>> 5]! & bit) !== 0) {
      throw invalidVocabulary(`id ${rank} twice, or not within 1 to ${this.#entries}`);
    }
    this.#bits[rank >>> 5]! |= bit;
    this.#size++;
  }

  refuseMissing(): void {
    if (this.#size !== this.#entries) throw invalidVocabulary(`${this.#size} ids of ${this.#entries}`);
  }
}

function outOfOrder(slot: number) {
  return invalidVocabulary(`a value in slot ${slot} that belongs elsewhere`);
}
