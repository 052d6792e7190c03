import { Instance, Module } from '../base/webAssembly.ts';
import { singleZstdFrame } from './zstdFrame.ts';
import { ZSTD_MODULE } from './zstdModule.ts';

/** Bytes as a page of a column chunk holds them. */
export interface PackedPage {
  readonly packed: Uint8Array;
  /** What they unpack to: at least one. */
  readonly unpackedBytes: number;
}

/** What is used of libzstd. Addresses are in its memory; 0 is none. */
interface ZstdExports {
  /** Grows, and then has another buffer. */
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  free(address: number): void;
  /** Unpacks frames, one behind the other. @returns how many bytes they became, or an error's number, which is negative */
  ZSTD_decompress(to: number, toBytes: number, from: number, fromBytes: number): number;
}

/** Of this thread, from its first use on: instantiating takes some milliseconds. */
let zstd: ZstdExports | undefined;

function decoder(): ZstdExports {
  zstd ??= new Instance(new Module(Buffer.from(ZSTD_MODULE, 'base64')), {
    env: { emscripten_notify_memory_growth: () => undefined },
  }).exports as ZstdExports;
  return zstd;
}

/** Neighbours that are unpacked by one call. */
interface Run {
  /** Place of the last one, and one more. */
  end: number;
  packedBytes: number;
  unpackedBytes: number;
}

/**
 * Unpacks pages by libzstd, one behind the other into memory that it is given: with few calls, since most pages of small row groups
 * have but some hundred bytes.
 * @param into as many bytes as the pages say that they unpack to
 * @throws Error when one of them unpacks to another number of bytes, or can't be unpacked
 */
export function unpackZstd(pages: readonly PackedPage[], into: Uint8Array): void {
  const { memory, malloc, free, ZSTD_decompress } = decoder();
  const packedBytes = pages.reduce((sum, { packed }) => sum + packed.length, 0);
  const from = malloc(packedBytes);
  const to = malloc(into.length);
  try {
    if (from === 0 || to === 0) throw new Error(`there is no memory to unpack ${into.length} bytes`);
    const bytes = new Uint8Array(memory.buffer);
    let at = from;
    for (const { packed } of pages) {
      bytes.set(packed, at);
      at += packed.length;
    }
    let [fromAt, toAt] = [from, to];
    for (const run of runsOf(pages)) {
      const unpackedBytes = ZSTD_decompress(toAt, run.unpackedBytes, fromAt, run.packedBytes);
      if (unpackedBytes !== run.unpackedBytes) {
        throw new Error(`ZSTD frames don't unpack to the ${run.unpackedBytes} bytes that their pages say`);
      }
      fromAt += run.packedBytes;
      toAt += unpackedBytes;
    }
    into.set(new Uint8Array(memory.buffer, to, into.length));
  } finally {
    free(from);
    free(to);
  }
}

/**
 * Frames that say themselves what they unpack to are unpacked together: libzstd holds each to that. Of the others it would check no
 * more than the sum. @internal exported for tests
 */
export function runsOf(pages: readonly PackedPage[]): readonly Readonly<Run>[] {
  const runs: Run[] = [];
  let isOpen = false;
  for (const [place, { packed, unpackedBytes }] of pages.entries()) {
    const isFrame = singleZstdFrame(packed)?.contentBytes === unpackedBytes;
    const last = runs.at(-1);
    if (isFrame && isOpen) {
      last!.end = place + 1;
      last!.packedBytes += packed.length;
      last!.unpackedBytes += unpackedBytes;
    } else {
      runs.push({ end: place + 1, packedBytes: packed.length, unpackedBytes });
      isOpen = isFrame;
    }
  }
  return runs;
}
