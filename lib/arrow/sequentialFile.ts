import { createHash } from 'node:crypto';
import type { RandomAccessFile } from '../storage/storage.ts';

/** Bytes of one read: one request for a part of a million rows, which has 20 to 40 MB. */
const PIECE_BYTES = 64 * 1024 * 1024;
/** Where a reader of Arrow files begins. */
const TAIL_BYTES = 256 * 1024;

/**
 * A file for a reader that looks at its end and then goes through it once: it is fetched in large pieces, each once, and
 * hashed on the way. Holds one piece and the tail.
 */
export class SequentialFile implements RandomAccessFile {
  readonly uri: string;
  readonly sizeBytes: number;
  readonly version: string;
  readonly #file: RandomAccessFile;
  readonly #pieceBytes: number;
  readonly #hash = createHash('sha256');
  #piece: Uint8Array = new Uint8Array(0);
  #pieceStartByte = 0;
  #tail: Uint8Array | undefined;

  constructor(file: RandomAccessFile, pieceBytes = PIECE_BYTES) {
    this.uri = file.uri;
    this.sizeBytes = file.sizeBytes;
    this.version = file.version;
    this.#file = file;
    this.#pieceBytes = pieceBytes;
  }

  async readInto(target: Uint8Array, startByte: number): Promise<void> {
    let filledBytes = 0;
    while (filledBytes < target.length) {
      const rest = target.subarray(filledBytes);
      const atByte = startByte + filledBytes;
      const copiedBytes = copyFrom(this.#piece, this.#pieceStartByte, rest, atByte);
      filledBytes += copiedBytes;
      if (copiedBytes > 0) continue;
      const nextByte = this.#pieceStartByte + this.#piece.length;
      if (atByte >= nextByte && atByte < nextByte + this.#pieceBytes) await this.#loadPiece();
      else return this.#readElsewhere(rest, atByte);
      // Past the end: the file knows how to say so.
      if (this.#piece.length === 0) return this.#file.readInto(rest, atByte);
    }
  }

  /** Reads what nobody asked for yet. @returns the file's SHA-256 in hexadecimal digits */
  async digest(): Promise<string> {
    do await this.#loadPiece();
    while (this.#piece.length > 0);
    return this.#hash.digest('hex');
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #loadPiece(): Promise<void> {
    const startByte = this.#pieceStartByte + this.#piece.length;
    // A new one each time: batches are views of the bytes that they were read into, which others may still hold.
    const piece = Buffer.allocUnsafeSlow(Math.min(this.#pieceBytes, this.sizeBytes - startByte));
    if (piece.length > 0) await this.#file.readInto(piece, startByte);
    this.#hash.update(piece);
    this.#piece = piece;
    this.#pieceStartByte = startByte;
  }

  async #readElsewhere(target: Uint8Array, startByte: number): Promise<void> {
    const tailStartByte = Math.max(0, this.sizeBytes - TAIL_BYTES);
    if (startByte < tailStartByte) return this.#file.readInto(target, startByte);
    if (this.#tail === undefined) {
      this.#tail = Buffer.allocUnsafeSlow(this.sizeBytes - tailStartByte);
      await this.#file.readInto(this.#tail, tailStartByte);
    }
    if (copyFrom(this.#tail, tailStartByte, target, startByte) < target.length) {
      return this.#file.readInto(target, startByte);
    }
  }
}

/** Copies what `bytes`, which start at `bytesStart`, hold of the wanted range from its start on. @returns how many bytes */
function copyFrom(bytes: Uint8Array, bytesStart: number, target: Uint8Array, startByte: number): number {
  if (startByte < bytesStart || startByte >= bytesStart + bytes.length) return 0;
  const from = startByte - bytesStart;
  const found = bytes.subarray(from, from + target.length);
  target.set(found);
  return found.length;
}
