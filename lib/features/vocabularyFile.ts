import { sha256 } from '../base/digest.ts';
import { ContractError } from '../base/errors.ts';

/*
 * A vocabulary file (TABLE.vocab): the values of a table with their ids 1, 2, ..., laid out so that a value is looked up where the
 * file's bytes lie. Nothing is built when it is opened, and all threads share the bytes. Little-endian; format 1:
 *
 *   byte  type   content
 *      0  8 B    NCSVOCAB
 *      8  u32    1, the format's version
 *     12  u32    layout: 1 dense integers, 2 hashed integers, 3 strings
 *     16  u32    entries: how many values there are, 0 to 2^27
 *     20  u32    slots
 *     24  u32    homes (layouts 2 and 3): the power of two that `homesFor` gives, 0 otherwise
 *     28  i32    first integer (layout 1), 0 otherwise
 *     32  u64    bytes of text (layout 3), 0 otherwise
 *     40  24 B   zeros
 *     64         the slots, then the text of layout 3; nothing behind it
 *
 * Layout 1, for integers that fill much of a short range around 0: slot i is an i32, the id of integer `first + i`, or 0.
 *
 * Layouts 2 and 3 are hash tables with linear probing. A value's home is the slot that the top log2(homes) bits of its hash name;
 * the values lie in the order of (hash as u32, value), each in its home or, where that is taken, in the slot after its predecessor, and
 * the last slot is empty. A lookup walks from the home to the value or to the first empty slot. The order also says where every
 * value has to be, so that one pass tells a whole file from a damaged one, and equal vocabularies have equal bytes.
 *
 * Layout 2: a slot is 3 x i32: low half, high half, id; id 0 is an empty slot. The hash is `mixInt64` in intIndex.ts.
 *
 * Layout 3: a slot is 3 x i32: hash, where the text starts, id; id 0 is an empty slot. The text ends where the next slot's starts,
 * empty slots and the last one too, and is less than 2^31 bytes long. The hash is `hashText` in stringIndex.ts.
 */

const MAGIC = Buffer.from('NCSVOCAB');
const FORMAT_VERSION = 1;
export const VOCABULARY_HEADER_BYTES = 64;

/** Most values that a vocabulary may have. */
export const MAX_VOCABULARY_ENTRIES = 2 ** 27;

const LAYOUTS = ['dense', 'hashed', 'text'] as const;

/** What a vocabulary file says of itself. */
export interface VocabularyHeader {
  /** Of integers dense or hashed, or of strings. */
  readonly layout: (typeof LAYOUTS)[number];
  readonly entries: number;
  readonly slots: number;
  /** Slots that are the home of some hash; 0 in the dense layout. */
  readonly homes: number;
  /** The integer of the first slot in the dense layout. */
  readonly firstInteger: number;
  readonly textBytes: number;
}

const SLOT_BYTES = { dense: 4, hashed: 12, text: 12 } as const;

/** At 1.6 homes per value, a lookup looks at 1.8 slots for a value that is there, and at 4 for another one. */
const LEAST_HOMES_PER_ENTRY = 1.6;

export function homesFor(entries: number): number {
  let homes = 2;
  while (homes < LEAST_HOMES_PER_ENTRY * entries) homes *= 2;
  return homes;
}

/** By how many bits a hash is shifted to find its home; below 32, which would be no shift at all. */
export function homeShift(homes: number): number {
  return Math.clz32(homes) + 1;
}

/** Where the file of a table's vocabulary lies below its bundle. */
export function vocabularyPath(tableName: string): string {
  return `vocabularies/${tableFileName(tableName)}.vocab`;
}

/** File systems take names of 255 bytes, and temporary names are longer than those of the files. */
const MAX_STEM_LENGTH = 180;

/**
 * A table's name, which may be that of any column, as the stem of a file: another one for each name, without separators, never
 * hidden.
 */
export function tableFileName(tableName: string): string {
  const stem = Array.from(new TextEncoder().encode(tableName), (byte, at) => {
    const character = String.fromCharCode(byte);
    const isPlain = at === 0 ? /[A-Za-z0-9]/ : /[A-Za-z0-9._-]/;
    return isPlain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
  return stem.length <= MAX_STEM_LENGTH ? stem : `${stem.slice(0, 100)}-${sha256(tableName)}`;
}

/** Zeroed memory for a file, which threads can share, with its header written. */
export function allocateVocabulary(header: VocabularyHeader): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(sizeOf(header)));
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, 1 + LAYOUTS.indexOf(header.layout), true);
  view.setUint32(16, header.entries, true);
  view.setUint32(20, header.slots, true);
  view.setUint32(24, header.homes, true);
  view.setInt32(28, header.firstInteger, true);
  view.setBigUint64(32, BigInt(header.textBytes), true);
  return bytes;
}

/**
 * @throws ContractError BUNDLE_VOCABULARY_INVALID for bytes that aren't a vocabulary file of exactly the size its header tells.
 * The slots aren't looked at: see checkVocabulary
 */
export function readVocabularyHeader(bytes: Uint8Array): VocabularyHeader {
  if (bytes.length < VOCABULARY_HEADER_BYTES) throw invalidVocabulary(`${bytes.length} bytes`);
  const magic = Buffer.from(bytes.subarray(0, MAGIC.length));
  if (!magic.equals(MAGIC))
    throw invalidVocabulary(`another beginning: ${JSON.stringify(magic.toString('latin1'))}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version !== FORMAT_VERSION) throw invalidVocabulary(`format ${version}`);
  const layout = LAYOUTS[view.getUint32(12, true) - 1];
  if (layout === undefined) throw invalidVocabulary(`layout ${view.getUint32(12, true)}`);
  const header = {
    layout,
    entries: view.getUint32(16, true),
    slots: view.getUint32(20, true),
    homes: view.getUint32(24, true),
    firstInteger: view.getInt32(28, true),
    textBytes: Number(view.getBigUint64(32, true)),
  };
  const expected = sizeOf(header);
  if (bytes.length !== expected) throw invalidVocabulary(`${bytes.length} bytes, not ${expected}`);
  return header;
}

/** A file's slots. @param bytes begin at a multiple of four bytes of their buffer */
export function slotsOf(bytes: Uint8Array, { layout, slots }: VocabularyHeader): Int32Array {
  return new Int32Array(
    bytes.buffer,
    bytes.byteOffset + VOCABULARY_HEADER_BYTES,
    (slots * SLOT_BYTES[layout]) / Int32Array.BYTES_PER_ELEMENT,
  );
}

/** The text of a file of strings. */
export function textOf(bytes: Uint8Array, { layout, slots }: VocabularyHeader): Uint8Array {
  return bytes.subarray(VOCABULARY_HEADER_BYTES + slots * SLOT_BYTES[layout]);
}

export function invalidVocabulary(found: string): ContractError {
  return new ContractError('BUNDLE_VOCABULARY_INVALID', 'the vocabulary is damaged', {
    expected: 'a vocabulary file of format 1 that fits the contract',
    found,
  });
}

function sizeOf({ layout, slots, textBytes }: VocabularyHeader): number {
  return VOCABULARY_HEADER_BYTES + slots * SLOT_BYTES[layout] + textBytes;
}
