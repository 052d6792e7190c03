import type { Indices } from '../base/arrowColumns.ts';

/** Where the arrays of decoded columns come from. */
export interface ColumnMemory {
  /** An array with any content, as all of these. */
  takeIntegers(length: number): Int32Array;
  takeBytes(length: number): Uint8Array;
  /** @param size of what they are indices of */
  takeIndices(length: number, size: number): Indices;
}

/** Smaller arrays aren't worth being used again. */
const SPARE_BYTES = 64 * 1024;

/**
 * Memory that threads share, for columns that are read by all: their indices take the fewest bytes that hold them. New memory of
 * this size comes page by page from the system and goes when the collectors of all threads have seen that nobody has it.
 */
export class SharedMemory implements ColumnMemory {
  readonly #spare: SharedArrayBuffer[];

  /** @param spare what nobody reads any more */
  constructor(spare: readonly SharedArrayBuffer[] = []) {
    this.#spare = [...spare].sort((a, b) => a.byteLength - b.byteLength);
  }

  takeIntegers(length: number): Int32Array {
    return new Int32Array(this.#take(4 * length), 0, length);
  }

  takeBytes(length: number): Uint8Array {
    return new Uint8Array(this.#take(length), 0, length);
  }

  takeIndices(length: number, size: number): Indices {
    if (size <= 256) return this.takeBytes(length);
    if (size <= 65_536) return new Uint16Array(this.#take(2 * length), 0, length);
    return this.takeIntegers(length);
  }

  /** The smallest spare memory that is large enough, unless half of it would do. */
  #take(sizeBytes: number): SharedArrayBuffer {
    if (sizeBytes < SPARE_BYTES) return new SharedArrayBuffer(sizeBytes);
    const at = this.#spare.findIndex(({ byteLength }) => byteLength >= sizeBytes);
    if (at < 0 || this.#spare[at]!.byteLength > 2 * sizeBytes)
      return new SharedArrayBuffer(withRoom(sizeBytes));
    return this.#spare.splice(at, 1)[0]!;
  }
}

/** The next of eight sizes from one power of two to the next: arrays of the next request are about as large, not just as large. */
export function withRoom(sizeBytes: number): number {
  const step = 2 ** (Math.floor(Math.log2(sizeBytes)) - 3);
  return step * Math.ceil(sizeBytes / step);
}
