import { createRequire } from 'node:module';
import { type RecordBatch, type Schema, tableFromIPC } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';

type ArrowRs = typeof import('parquet-wasm/node');

const require = createRequire(import.meta.url);
let arrowRs: ArrowRs | undefined;

/** Loads arrow-rs into this thread, if it isn't there: 15 ms, which a thread that decodes nothing spares. */
function loadDecoder(): ArrowRs {
  arrowRs ??= require('parquet-wasm/node') as ArrowRs;
  return arrowRs;
}

/**
 * arrow-rs panicked or ran out of memory inside WASM. The instance goes on working for a while, but the trap leaks what the
 * call had allocated and its share of the shadow stack: after about 700 panics of one kind every call failed with
 * "memory access out of bounds". No wrong value was seen before that.
 */
export class DecoderPanic extends Error {}

/**
 * True when `error` says that this thread's WASM instance panicked (SHARD_DECODER_PANIC). A worker that sees it should report
 * the shard as failed and retire: a new worker starts with a new instance. The main thread may go on to other shards.
 */
export function isDecoderPoisoned(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof DecoderPanic) return true;
    if (current instanceof Ncs4cvrError && current.code === 'SHARD_DECODER_PANIC') return true;
  }
  return false;
}

/**
 * Decodes a whole Parquet file in memory. Its bytes are copied into WASM memory, which is freed again; the batches live in
 * JS memory and share one buffer, so keeping one batch keeps them all.
 *
 * The synchronous reader is used on purpose: the asynchronous one leaves its promise unsettled for ever when decoding fails.
 *
 * @throws DecoderPanic; Error with arrow-rs's message
 */
export function decodeBatches(parquet: Uint8Array, batchRows: number): RecordBatch[] {
  const { readParquet } = loadDecoder();
  return guard(() => tableFromIPC(readParquet(parquet, { batchSize: batchRows }).intoIPCStream()).batches);
}

/** The Arrow schema of a Parquet file in memory. Throws as `decodeBatches` does. */
export function decodeSchema(parquet: Uint8Array): Schema {
  const { readSchema } = loadDecoder();
  return guard(() => tableFromIPC(readSchema(parquet).intoIPCStream()).schema);
}

function guard<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    // By name: `instanceof WebAssembly.RuntimeError` is false for errors from another realm.
    if (error instanceof Error && error.name === 'RuntimeError') {
      throw new DecoderPanic(error.message, { cause: error });
    }
    throw error;
  }
}
