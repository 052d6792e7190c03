import { type ColumnMemory, withRoom } from './columnMemory.ts';

/** A block holds what several columns of a row group take; larger arrays get their own. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Arrays from this size on get a block of their own: a common one would lose what is left of it to them. */
const LARGE_BYTES = BLOCK_BYTES / 4;
/** What is kept from one use to the next. */
const MOST_KEPT_BYTES = 64 * 1024 * 1024;
/** Arrays of any element type can begin here. */
const ALIGNMENT = 8;

/**
 * Memory for arrays that live as long as one request. New arrays of this size come page by page from the system, cleared, and
 * so much of them makes the garbage collector look through the whole heap. One per thread.
 */
export class ReusedMemory implements ColumnMemory {
  /** For small arrays, one behind the other. */
  #blocks: ArrayBuffer[] = [];
  #block = 0;
  #at = 0;
  /** Each for one large array: in use since `reuse`, in the order in which they were taken; */
  #taken: ArrayBuffer[] = [];
  /** and free. */
  #free: ArrayBuffer[] = [];

  /** An array with any content, valid until `reuse`. */
  takeIntegers(length: number): Int32Array {
    const { buffer, at } = this.#take(4 * length);
    return new Int32Array(buffer, at, length);
  }

  /** As `takeIntegers`. */
  takeBytes(length: number): Uint8Array<ArrayBuffer> {
    const { buffer, at } = this.#take(length);
    return new Uint8Array(buffer, at, length);
  }

  takeIndices(length: number): Int32Array {
    return this.takeIntegers(length);
  }

  /** An array with any content that is valid until `use` returns. Whatever else is taken meanwhile ends with it. */
  borrowBytes<Result>(length: number, use: (bytes: Uint8Array<ArrayBuffer>) => Result): Result {
    const [block, at, taken] = [this.#block, this.#at, this.#taken.length];
    const bytes = this.takeBytes(length);
    try {
      return use(bytes);
    } finally {
      [this.#block, this.#at] = [block, at];
      this.#free.push(...this.#taken.splice(taken));
    }
  }

  /** Ends the life of all arrays: others get their memory. What has just been in use is kept first. */
  reuse(): void {
    let keptBytes = 0;
    const isKept = ({ byteLength }: ArrayBuffer) => {
      const fits = keptBytes + byteLength <= MOST_KEPT_BYTES;
      if (fits) keptBytes += byteLength;
      return fits;
    };
    this.#blocks = this.#blocks.filter(isKept);
    this.#free = [...this.#taken, ...this.#free].filter(isKept);
    this.#taken = [];
    this.#block = 0;
    this.#at = 0;
  }

  /** @returns where so many bytes begin */
  #take(sizeBytes: number): { readonly buffer: ArrayBuffer; readonly at: number } {
    if (sizeBytes >= LARGE_BYTES) return { buffer: this.#takeLarge(sizeBytes), at: 0 };
    let buffer = this.#blocks[this.#block];
    if (buffer !== undefined && this.#at + sizeBytes > buffer.byteLength) {
      buffer = this.#blocks[++this.#block];
      this.#at = 0;
    }
    if (buffer === undefined) {
      buffer = new ArrayBuffer(BLOCK_BYTES);
      this.#blocks.push(buffer);
    }
    const at = this.#at;
    this.#at = ALIGNMENT * Math.ceil((at + sizeBytes) / ALIGNMENT);
    return { buffer, at };
  }

  /** The smallest that is free and large enough. */
  #takeLarge(sizeBytes: number): ArrayBuffer {
    let found = -1;
    for (const [index, { byteLength }] of this.#free.entries()) {
      if (
        byteLength >= sizeBytes &&
        byteLength < (this.#free[found]?.byteLength ?? Number.POSITIVE_INFINITY)
      ) {
        found = index;
      }
    }
    const [buffer = new ArrayBuffer(withRoom(sizeBytes))] = found < 0 ? [] : this.#free.splice(found, 1);
    this.#taken.push(buffer);
    return buffer;
  }
}
