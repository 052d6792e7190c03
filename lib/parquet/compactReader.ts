/** Thrift's compact protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md */
export const STOP = 0;
/** The types of a boolean field are its values. */
export const TRUE = 1;
export const FALSE = 2;
const BYTE = 3;
/** 16, 32 and 64 bits, all written alike. */
const INT16 = 4;
export const INT32 = 5;
export const INT64 = 6;
const DOUBLE = 7;
export const BINARY = 8;
export const LIST = 9;
const SET = 10;
const MAP = 11;
export const STRUCT = 12;
const UUID = 13;

/** Fields are numbered in 16 bits. */
const LARGEST_FIELD = 2 ** 15 - 1;
/** Of the last of the ten bytes that 64 bits take. */
const LARGEST_UNIT = 2 ** 63;

const LARGEST_INT32 = 2 ** 31 - 1;

/** Deeper than any footer; a corrupt one must not exhaust the stack. */
const DEEPEST = 32;

/** Reads values of Thrift's compact protocol from bytes that may be anything: it throws, and neither hangs nor goes beyond them. */
export class CompactReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = Math.min(end, bytes.length);
  }

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  moveTo(at: number): void {
    this.#at = at;
  }

  /**
   * Steps over the head of a struct's field; the value, which has to be read or skipped, follows. Not by a call for each field: pages
   * have their headers, and shards their footers, by the hundred thousand.
   * @param before the head before it in the struct, 0 for the first
   * @returns the field's number times 16, and its type; 0 at the struct's end
   */
  readHead(before: number): number {
    const head = this.#byte();
    const type = head & 15;
    if (type === STOP) return STOP;
    const delta = head >> 4;
    const field = delta === 0 ? this.#zigzag() : (before >> 4) + delta;
    if (field < -LARGEST_FIELD || field > LARGEST_FIELD) throw new Error(`a field with the number ${field}`);
    return (field << 4) | type;
  }

  /** @returns how many structs a list holds; they follow */
  readStructCount(type: number): number {
    if (type !== LIST && type !== SET) throw new Error('a list of another type');
    const head = this.#byte();
    const size = this.#listSize(head);
    if (size > 0 && (head & 15) !== STRUCT) throw new Error('a list holds no structs');
    return size;
  }

  /** Beyond 53 bits it is rounded: no safe integer, whatever the bytes say. */
  readInteger(type: number): number {
    if (type !== INT16 && type !== INT32 && type !== INT64) throw new Error(`a number of type ${type}`);
    return this.#zigzag();
  }

  readInt32(type: number): number {
    const value = this.readInteger(type);
    if (value !== (value | 0)) throw new Error(`${value} is none of 32 bits`);
    return value;
  }

  readText(type: number): string {
    if (type !== BINARY) throw new Error(`a text of type ${type}`);
    const bytes = this.#varint();
    const start = this.#at;
    this.#step(bytes);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, bytes).toString();
  }

  /** Steps over a value. Most of a footer goes this way, so nothing is allocated here. */
  skip(type: number, depth = 0): void {
    if (depth > DEEPEST) throw new Error('structs are nested too deeply');
    switch (type) {
      // The value of a boolean is in its type.
      case TRUE:
      case FALSE:
        return;
      case INT16:
      case INT32:
      case INT64:
        while (this.#byte() >= 0x80);
        return;
      case BYTE:
        this.#step(1);
        return;
      case DOUBLE:
        this.#step(8);
        return;
      case UUID:
        this.#step(16);
        return;
      case BINARY:
        this.#step(this.#varint());
        return;
      case STRUCT:
        this.#skipStruct(depth);
        return;
      case LIST:
      case SET: {
        const head = this.#byte();
        const size = this.#listSize(head);
        for (let index = 0; index < size; index++) this.#skipElement(head & 15, depth);
        return;
      }
      case MAP: {
        const size = this.#varint();
        const types = size === 0 ? 0 : this.#byte();
        for (let index = 0; index < size; index++) {
          this.#skipElement(types >> 4, depth);
          this.#skipElement(types & 15, depth);
        }
        return;
      }
      default:
        throw new Error(`type ${type} is none of the protocol's`);
    }
  }

  #skipStruct(depth: number): void {
    for (;;) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) return;
      // The field's number follows.
      if (head >> 4 === 0) this.#varint();
      this.skip(type, depth + 1);
    }
  }

  /** Within lists and maps a boolean takes a byte. */
  #skipElement(type: number, depth: number): void {
    if (type === TRUE || type === FALSE) this.#step(1);
    else this.skip(type, depth + 1);
  }

  #listSize(head: number): number {
    const short = head >> 4;
    return short === 15 ? this.#varint() : short;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new Error('it ends too early');
    return this.#bytes[this.#at++]!;
  }

  /** Products, not shifts: numbers have up to 64 bits, of which 53 are kept. */
  #varint(): number {
    const first = this.#byte();
    if (first < 128) return first;
    let value = first & 127;
    for (let unit = 128; ; unit *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
      if (unit >= LARGEST_UNIT) throw new Error('a number is too long');
    }
  }

  #zigzag(): number {
    const value = this.#varint();
    if (value <= LARGEST_INT32) return (value >> 1) ^ -(value & 1);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #step(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#end) throw new Error('it ends too early');
  }
}
