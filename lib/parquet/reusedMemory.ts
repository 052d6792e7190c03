/** A block holds what several columns of a row group take; larger arrays get their own. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** What is kept from one use to the next. */
const MOST_KEPT_BYTES = 64 * 1024 * 1024;
/** Arrays of any element type can begin here. */
const ALIGNMENT = 8;

/**
 * Memory for arrays that live as long as one request. New arrays of this size come page by page from the system, cleared, and
 * so much of them makes the garbage collector look through the whole heap. One per thread.
 */
export class ReusedMemory {
  #blocks: ArrayBuffer[] = [];
  #block = 0;
  #at = 0;

  /** An array with any content, valid until `reuse`. */
  takeIntegers(length: number): Int32Array {
    const at = this.#take(4 * length);
    return new Int32Array(this.#blocks[this.#block]!, at, length);
  }

  /** As `takeIntegers`. */
  takeBytes(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(length);
    return new Uint8Array(this.#blocks[this.#block]!, at, length);
  }

  /** An array with any content that is valid until `use` returns. Whatever else is taken meanwhile ends with it. */
  borrowBytes<Result>(length: number, use: (bytes: Uint8Array<ArrayBuffer>) => Result): Result {
    const block = this.#block;
    const at = this.#at;
    const bytes = this.takeBytes(length);
    try {
      return use(bytes);
    } finally {
      this.#block = block;
      this.#at = at;
    }
  }

  /** Ends the life of all arrays: others get their memory. */
  reuse(): void {
    let keptBytes = 0;
    this.#blocks = this.#blocks.filter(({ byteLength }) => {
      const isKept = keptBytes + byteLength <= MOST_KEPT_BYTES;
      if (isKept) keptBytes += byteLength;
      return isKept;
    });
    this.#block = 0;
    this.#at = 0;
  }

  /** @returns where so many bytes begin in the block at hand */
  #take(sizeBytes: number): number {
    for (; this.#block < this.#blocks.length; this.#block++, this.#at = 0) {
      const at = this.#at;
      if (at + sizeBytes > this.#blocks[this.#block]!.byteLength) continue;
      this.#at = ALIGNMENT * Math.ceil((at + sizeBytes) / ALIGNMENT);
      return at;
    }
    this.#blocks.push(new ArrayBuffer(Math.max(BLOCK_BYTES, sizeBytes)));
    this.#at = ALIGNMENT * Math.ceil(sizeBytes / ALIGNMENT);
    return 0;
  }
}
