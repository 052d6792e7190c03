import { Instance, Module } from '../base/webAssembly.ts';
import { PAGE_KERNELS } from './pageKernels.ts';
import { ZSTD_MODULE } from './zstdModule.ts';

/** What kernels/pageKernels.ts exports. Addresses are in the memory that it shares with libzstd. */
interface PageKernels {
  unpackBodies(pages: number, pageCount: number, chunks: number, to: number): number;
  placeValues(valueBytes: number, at: number, end: number, ends: number, mostValues: number): void;
  placeIndices(at: number, isValid: number, slots: number, scratch: number, pageSlots: number): void;
  placeRows(offsets: number, isValid: number, rows: number): void;
  decodeFlat(pages: number, chunks: number, chunkCount: number, valueLevel: number): number;
  decodeLists(
    pages: number,
    chunks: number,
    chunkCount: number,
    rowLevel: number,
    elementLevel: number,
    valueLevel: number,
  ): number;
  onlyRun(at: number, end: number, count: number): number;
  decodeHybrid(at: number, end: number, bitWidth: number, to: number, count: number, base: number): number;
  valuesFound(): number;
  nullsFound(): number;
  elementsFound(): number;
  nullRowsFound(): number;
}

/** What is used of libzstd. 0 is no address. */
interface ZstdExports {
  /** Grows, and then has another buffer. */
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  free(address: number): void;
  readonly ZSTD_decompress: (to: number, toBytes: number, from: number, fromBytes: number) => number;
}

/** Read behind a page's last byte, at most. */
const SLACK_BYTES = 64;
/** Arrays of any element type, and four at once, can begin here. */
const ALIGNMENT = 16;
/** WebAssembly's memory never shrinks: one that had to be larger than this isn't kept. */
const MOST_KEPT_BYTES = 192 * 1024 * 1024;

/** Memory in which pages are unpacked and decoded: one per thread at a time, since what it grows to stays. */
export class PageMemory {
  readonly kernels: PageKernels;
  readonly #zstd: ZstdExports;
  #at = 0;
  #end = 0;

  private constructor(zstd: ZstdExports, kernels: PageKernels) {
    this.#zstd = zstd;
    this.kernels = kernels;
  }

  static #create(): PageMemory {
    const zstd = new Instance(new Module(Buffer.from(ZSTD_MODULE, 'base64')), {
      env: { emscripten_notify_memory_growth: () => undefined },
    }).exports as ZstdExports;
    const { exports } = new Instance(new Module(Buffer.from(PAGE_KERNELS, 'base64')), {
      env: { memory: zstd.memory },
      pageKernels: { decompress: zstd.ZSTD_decompress },
    });
    return new PageMemory(zstd, exports as PageKernels);
  }

  /** Of this thread, from its first use on: instantiating takes some milliseconds. */
  static #ofThread: PageMemory | undefined;

  /**
   * @param sizeBytes room for all that `place` gives, each with the padding of `placedBytes`
   * @param use what is placed in the memory is there until it returns
   * @throws Error when there is no such room
   */
  static use<Result>(sizeBytes: number, use: (memory: PageMemory) => Result): Result {
    const memory = PageMemory.#ofThread ?? PageMemory.#create();
    PageMemory.#ofThread = memory;
    const zstd = memory.#zstd;
    const address = zstd.malloc(sizeBytes + ALIGNMENT + SLACK_BYTES) >>> 0;
    if (address === 0) throw new Error(`there is no memory to unpack and decode ${sizeBytes} bytes`);
    memory.#at = placedBytes(address);
    memory.#end = memory.#at + sizeBytes;
    try {
      return use(memory);
    } finally {
      zstd.free(address);
      if (zstd.memory.buffer.byteLength > MOST_KEPT_BYTES) PageMemory.#ofThread = undefined;
    }
  }

  /** Room for so many bytes, with any content. @returns its address @throws RangeError beyond what was asked for */
  place(sizeBytes: number): number {
    const at = this.#at;
    if (at + sizeBytes > this.#end) throw new RangeError(`no room for ${sizeBytes} bytes more`);
    this.#at += placedBytes(sizeBytes);
    return at;
  }

  /** What is placed meanwhile is there until `use` returns. */
  borrow<Result>(use: () => Result): Result {
    const at = this.#at;
    try {
      return use();
    } finally {
      this.#at = at;
    }
  }

  /** A view that is valid until kernels are called: they may make the memory grow. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#zstd.memory.buffer, address, length);
  }

  /** As `bytes`. */
  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#zstd.memory.buffer, address, length);
  }
}

/** What `place` takes for so many bytes. */
export function placedBytes(sizeBytes: number): number {
  return ALIGNMENT * Math.ceil(sizeBytes / ALIGNMENT);
}
