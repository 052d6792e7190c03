import { BINARY, LIST } from './compactReader.ts';

/** A longer list's size follows its head. */
const LARGEST_SHORT_LIST = 14;

/** Writes values of Thrift's compact protocol into bytes whose number the caller knows to be enough. */
export class CompactWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** @param bytes to write into, or how many: at least as many as will be written */
  constructor(bytes: Uint8Array | number) {
    this.#bytes = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes;
  }

  /** Bytes written. */
  get at(): number {
    return this.#at;
  }

  /** The head of a struct's field. @param step from the number of the field before it in the struct, 1 to 15 */
  writeHead(step: number, type: number): void {
    this.writeByte((step << 4) | type);
  }

  /** A field with a number of 16, 32 or 64 bits. @param value a safe integer, not negative */
  writeInteger(step: number, type: number, value: number): void {
    this.writeHead(step, type);
    this.#varint(value * 2);
  }

  /** The head of a field with a list; its elements follow. */
  writeListHead(step: number, elementType: number, size: number): void {
    this.writeHead(step, LIST);
    const isShort = size <= LARGEST_SHORT_LIST;
    this.writeByte(((isShort ? size : 15) << 4) | elementType);
    if (!isShort) this.#varint(size);
  }

  /** A field with bytes, such as text in UTF-8. */
  writeBinary(step: number, bytes: Uint8Array): void {
    this.writeHead(step, BINARY);
    this.#varint(bytes.length);
    this.writeBytes(bytes);
  }

  writeByte(byte: number): void {
    this.#bytes[this.#at++] = byte;
  }

  writeBytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** What has been written. @throws RangeError when there were too few bytes for it */
  finish(): Uint8Array {
    if (this.#at > this.#bytes.length) throw new RangeError(`${this.#at} bytes were written`);
    return this.#bytes.subarray(0, this.#at);
  }

  /** Quotients, not shifts: numbers have up to 53 bits. */
  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.writeByte((rest % 128) | 128);
    this.writeByte(rest);
  }
}
