import { type Data, DataType, type RecordBatch, type Schema } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';

/** 64-bit numbers as halves. Only the first so many entries are meant, and only until the next call. */
export interface Halves {
  readonly lows: Int32Array;
  readonly highs: Int32Array;
}

// What can't follow from any word that stands for a value: a missing value, and an unsigned integer of 2^63 or more.
const NULL_WORD = 0x6e756c6c;
const UNSIGNED_WORD = 0x75363421;

/**
 * 64-bit fingerprints of rows' keys. Each column is a sequence of 64-bit words whose length follows from its first one, so
 * that other tuples are other sequences; each word goes into a state that is then permuted by a cipher-like network. One
 * integer column never collides, anything else as random numbers do: of n keys, n²/2^65 pairs. Equal are equal values of
 * integer columns of any width, and equal bytes of `Binary` and `FixedSizeBinary`; a string, a date or a timestamp of another
 * unit or zone is another key. No protection against keys that were chosen to collide.
 */
export class KeyFingerprints {
  readonly #names: readonly string[];
  readonly #state: FingerprintState;

  /** @param schema has the key columns, of the types of isRowKeyType */
  constructor(schema: Schema, keyNames: readonly string[]) {
    this.#names = keyNames;
    const classes = keyNames.map((name) => classOf(schema.fields.find((field) => field.name === name)!.type));
    this.#state = new FingerprintState(classes);
  }

  /** Of all rows of a batch. */
  of(batch: RecordBatch): Halves {
    const rows = batch.numRows;
    this.#state.reset(rows);
    for (const name of this.#names) addColumn(this.#state, columnOf(batch, name)!, rows);
    return this.#state;
  }
}

/** Values of two types of one class are compared; of two classes they always differ. */
function classOf(type: DataType): string {
  if (DataType.isInt(type)) return 'integer';
  if (DataType.isBinary(type) || DataType.isFixedSizeBinary(type)) return 'bytes';
  return String(type);
}

class FingerprintState implements Halves {
  lows = new Int32Array(0);
  highs = new Int32Array(0);
  readonly #first: Halves;

  constructor(classes: readonly string[]) {
    this.lows = new Int32Array(1);
    this.highs = new Int32Array(1);
    const text = new TextEncoder().encode(JSON.stringify(classes));
    addBytes(this, 0, text, 0, text.length);
    this.#first = { lows: this.lows, highs: this.highs };
    this.lows = new Int32Array(0);
    this.highs = new Int32Array(0);
  }

  reset(rows: number): void {
    if (this.lows.length < rows) {
      this.lows = new Int32Array(rows);
      this.highs = new Int32Array(rows);
    }
    this.lows.fill(this.#first.lows[0]!, 0, rows);
    this.highs.fill(this.#first.highs[0]!, 0, rows);
  }
}

function addColumn(state: Halves, data: Data, rows: number): void {
  const { type, values } = data;
  const isNull = (row: number) => data.nullCount > 0 && !data.getValid(row);
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    const bytes = values as Uint8Array;
    const offsets = data.valueOffsets as Int32Array;
    for (let row = 0; row < rows; row++) {
      if (isNull(row)) addNull(state, row);
      else addBytes(state, row, bytes, offsets[row]!, offsets[row + 1]!);
    }
  } else if (DataType.isFixedSizeBinary(type)) {
    const { byteWidth } = type;
    for (let row = 0; row < rows; row++) {
      if (isNull(row)) addNull(state, row);
      else addBytes(state, row, values as Uint8Array, row * byteWidth, (row + 1) * byteWidth);
    }
  } else {
    addIntegers(state, data, rows, isNull);
  }
}

/** Integers, and dates and timestamps as the integers that they are. */
function addIntegers(state: Halves, data: Data, rows: number, isNull: (row: number) => boolean): void {
  const { type } = data;
  const values = data.values as Int32Array | BigInt64Array | BigUint64Array;
  const isSigned = !DataType.isInt(type) || type.isSigned;
  const hasNulls = data.nullCount > 0;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
    for (let row = 0; row < rows; row++) {
      if (hasNulls && isNull(row)) {
        addNull(state, row);
        continue;
      }
      const high = halves[2 * row + 1]!;
      if (!isSigned && high < 0) addWord(state, row, UNSIGNED_WORD, UNSIGNED_WORD);
      addWord(state, row, halves[2 * row]!, high);
    }
    return;
  }
  for (let row = 0; row < rows; row++) {
    const value = values[row]!;
    if (hasNulls && isNull(row)) addNull(state, row);
    else addWord(state, row, value, isSigned ? value >> 31 : 0);
  }
}

/** Two words, where a value has one or as many as its length says. */
function addNull(state: Halves, row: number): void {
  addWord(state, row, NULL_WORD, ~NULL_WORD);
  addWord(state, row, ~NULL_WORD, NULL_WORD);
}

/** The length with the first four bytes, then eight bytes a word, the last one filled up with zeros. */
function addBytes(state: Halves, row: number, bytes: Uint8Array, start: number, end: number): void {
  addWord(state, row, end - start, littleEndian(bytes, start, end));
  for (let at = start + 4; at < end; at += 8) {
    addWord(state, row, littleEndian(bytes, at, end), littleEndian(bytes, at + 4, end));
  }
}

function littleEndian(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }
  let word = 0;
  for (let each = end - 1; each >= at; each--) word = (word << 8) | bytes[each]!;
  return word;
}

/**
 * state = permutation(state ^ word): four rounds of a Feistel network, whose rounds use MurmurHash3's 32-bit finaliser
 * (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp). The constants keep 0 from staying 0 (digits of pi).
 */
export function addWord({ lows, highs }: Halves, row: number, low: number, high: number): void {
  let a = lows[row]! ^ low;
  let b = highs[row]! ^ high;
  b ^= finalise(a + 0x243f6a88);
  a ^= finalise(b + 0x85a308d3);
  b ^= finalise(a + 0x13198a2e);
  a ^= finalise(b + 0x03707344);
  lows[row] = a;
  highs[row] = b;
}

function finalise(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
