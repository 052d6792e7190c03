/** Thrift's compact protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md */
export const STOP = 0;
const TRUE = 1;
const FALSE = 2;
/** 16, 32 and 64 bits, all written alike. */
const INTEGERS: ReadonlySet<number> = new Set([4, 5, 6]);
export const INT32 = 5;
export const INT64 = 6;
export const BINARY = 8;
export const LIST = 9;
const SET = 10;
const MAP = 11;
export const STRUCT = 12;
/** Bytes of a byte, a double and a UUID. */
const FIXED_BYTES: Readonly<Record<number, number>> = { 3: 1, 7: 8, 13: 16 };

/** Of the last of the ten bytes that 64 bits take. */
const LARGEST_UNIT = 2 ** 63;

/** Deeper than any footer; a corrupt one must not exhaust the stack. */
const DEEPEST = 32;

/** Reads values of Thrift's compact protocol from bytes that may be anything: it throws, and neither hangs nor goes beyond them. */
export class CompactReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** Calls `read` with every field's number and type; it has to read or skip the value. */
  readStruct(read: (field: number, type: number) => void): void {
    let field = 0;
    for (;;) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) return;
      const delta = head >> 4;
      field = delta === 0 ? this.#zigzag() : field + delta;
      read(field, type);
    }
  }

  readStructs(type: number, read: () => void): void {
    const { size, elementType } = this.#listHead(type);
    if (size > 0 && elementType !== STRUCT) throw new Error('a list holds no structs');
    for (let index = 0; index < size; index++) read();
  }

  /** Beyond 53 bits it is rounded: no safe integer, whatever the bytes say. */
  readInteger(type: number): number {
    if (!INTEGERS.has(type)) throw new Error(`a number of type ${type}`);
    return this.#zigzag();
  }

  readText(type: number): string {
    if (type !== BINARY) throw new Error(`a text of type ${type}`);
    const bytes = this.#varint();
    const start = this.#at;
    this.#step(bytes);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, bytes).toString();
  }

  skip(type: number, depth = 0): void {
    if (depth > DEEPEST) throw new Error('structs are nested too deeply');
    // The value of a boolean is in its type.
    if (type === TRUE || type === FALSE) return;
    if (INTEGERS.has(type)) while (this.#byte() >= 0x80);
    else if (type in FIXED_BYTES) this.#step(FIXED_BYTES[type]!);
    else if (type === BINARY) this.#step(this.#varint());
    else if (type === STRUCT) this.readStruct((_field, inner) => this.skip(inner, depth + 1));
    else if (type === LIST || type === SET) {
      const { size, elementType } = this.#listHead(type);
      for (let index = 0; index < size; index++) this.#skipElement(elementType, depth);
    } else if (type === MAP) {
      const size = this.#varint();
      const types = size === 0 ? 0 : this.#byte();
      for (let index = 0; index < size; index++) {
        this.#skipElement(types >> 4, depth);
        this.#skipElement(types & 15, depth);
      }
    } else throw new Error(`type ${type} is none of the protocol's`);
  }

  /** Within lists and maps a boolean takes a byte. */
  #skipElement(type: number, depth: number): void {
    if (type === TRUE || type === FALSE) this.#step(1);
    else this.skip(type, depth + 1);
  }

  #listHead(type: number): { readonly size: number; readonly elementType: number } {
    if (type !== LIST && type !== SET) throw new Error('a list of another type');
    const head = this.#byte();
    const short = head >> 4;
    return { size: short === 15 ? this.#varint() : short, elementType: head & 15 };
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error('it ends too early');
    return byte;
  }

  /** Products, not shifts: numbers have up to 64 bits, of which 53 are kept. */
  #varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
      if (unit >= LARGEST_UNIT) throw new Error('a number is too long');
    }
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #step(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw new Error('it ends too early');
  }
}
