import { Memory, type SharedMemory } from '../base/webAssembly.ts';

/*
 * Memory that WebAssembly and all threads can read: where the tables of a model lie, so that kernels (gatherKernels.ts) read them
 * without a copy. A kernel sees one memory only, so that what a thread gathers from and into lies there as well: an area for each
 * session, behind the tables.
 */

const PAGE_BYTES = 65_536;
/** 4 GiB: places are 32 bits. */
const MOST_PAGES = 65_536;
/** What is left of 4 GiB is for areas: some megabytes for each session. */
const MOST_TABLE_BYTES = 3.5 * 2 ** 30;
/** Tables and areas begin at its multiples: a row of 16 floats lies in one line of the processor's cache. */
const LINE_BYTES = 64;
/** Behind everything that a kernel reads: it may read that far beyond a row. */
const SLACK_BYTES = 16;

/** At the beginning of the memory: areas that were given back. Each has a state, its first page and its pages, all int32. */
const ENTRIES = 256;
const ENTRY_LENGTH = 3;
const HEADER_BYTES = ENTRIES * ENTRY_LENGTH * 4;
const UNUSED = 0;
const BUSY = 1;
const FREE = 2;

/** Where files of tables go: those that have no place there don't fit. */
export interface TablePlaces {
  readonly memory: SharedMemory;
  readonly places: ReadonlyMap<string, Uint8Array<SharedArrayBuffer>>;
}

/**
 * Room for tables, of as many as fit into 3.5 GiB, the smaller ones first.
 * @param sizes bytes of each, by its name
 * @returns undefined for none, or when the process can't have so much memory in one piece
 */
export function allocateTables(
  sizes: ReadonlyMap<string, number>,
  mostBytes = MOST_TABLE_BYTES,
): TablePlaces | undefined {
  const starts = new Map<string, number>();
  let end = HEADER_BYTES;
  for (const [name, size] of [...sizes].sort(([, a], [, b]) => a - b)) {
    const start = aligned(end);
    if (start + size > mostBytes) break;
    starts.set(name, start);
    end = start + size + SLACK_BYTES;
  }
  if (starts.size === 0) return undefined;
  const initial = Math.ceil(end / PAGE_BYTES);
  let memory: SharedMemory;
  try {
    memory = new Memory({ initial, maximum: MOST_PAGES, shared: true });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const { buffer } = memory;
  const places = Array.from(
    starts,
    ([name, start]) => [name, new Uint8Array(buffer, start, sizes.get(name)!)] as const,
  );
  return { memory, places: new Map(places) };
}

/** Memory that one session has for itself, all zeros. */
export class MemoryArea {
  readonly #memory: SharedMemory;
  readonly #buffer: SharedArrayBuffer;
  readonly #page: number;
  readonly #pages: number;
  #end: number;
  #isGivenBack = false;

  /**
   * Takes one that was given back, or adds it at the end.
   * @param lengths of all arrays that it is for, by numbers of 4 bytes
   * @returns undefined when there is no room for it
   */
  static take(memory: SharedMemory, lengths: readonly number[]): MemoryArea | undefined {
    const sizeBytes = lengths.reduce((sum, length) => sum + aligned(4 * length), SLACK_BYTES);
    const wanted = Math.ceil(sizeBytes / PAGE_BYTES);
    const entries = entriesOf(memory);
    for (let at = 0; at < entries.length; at += ENTRY_LENGTH) {
      if (Atomics.compareExchange(entries, at, FREE, BUSY) !== FREE) continue;
      const [page, pages] = [entries[at + 1]!, entries[at + 2]!];
      const fits = pages >= wanted;
      Atomics.store(entries, at, fits ? UNUSED : FREE);
      if (!fits) continue;
      // Another thread may have made it just now: this one's `buffer` is as large after this.
      memory.grow(0);
      new Uint8Array(memory.buffer, page * PAGE_BYTES, pages * PAGE_BYTES).fill(0);
      return new MemoryArea(memory, page, pages);
    }
    try {
      return new MemoryArea(memory, memory.grow(wanted), wanted);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  private constructor(memory: SharedMemory, page: number, pages: number) {
    this.#memory = memory;
    this.#buffer = memory.buffer;
    this.#page = page;
    this.#pages = pages;
    this.#end = page * PAGE_BYTES;
  }

  /** The next array. */
  float32(length: number): Float32Array {
    return new Float32Array(this.#buffer, this.#next(length), length);
  }

  /** The next array. */
  int32(length: number): Int32Array {
    return new Int32Array(this.#buffer, this.#next(length), length);
  }

  /**
   * Leaves it to other sessions, of any thread: its arrays mustn't be used any more. With 256 of them unused, it is lost. Only the
   * first call counts: by a second one, two sessions would get the same memory.
   */
  giveBack(): void {
    if (this.#isGivenBack) return;
    this.#isGivenBack = true;
    const entries = entriesOf(this.#memory);
    for (let at = 0; at < entries.length; at += ENTRY_LENGTH) {
      if (Atomics.compareExchange(entries, at, UNUSED, BUSY) !== UNUSED) continue;
      entries[at + 1] = this.#page;
      entries[at + 2] = this.#pages;
      Atomics.store(entries, at, FREE);
      return;
    }
  }

  #next(length: number): number {
    const start = this.#end;
    this.#end = start + aligned(4 * length);
    return start;
  }
}

function entriesOf({ buffer }: SharedMemory): Int32Array {
  return new Int32Array(buffer, 0, ENTRIES * ENTRY_LENGTH);
}

function aligned(place: number): number {
  return Math.ceil(place / LINE_BYTES) * LINE_BYTES;
}
