import { type RecordBatch, type Schema, tableFromIPC } from 'apache-arrow';
import { readParquet, readSchema } from 'parquet-wasm/node';
import { DecoderPanic } from './decoderPoisoned.ts';

/**
 * Decodes a whole Parquet file in memory. Its bytes are copied into WASM memory, which is freed again; the batches live in
 * JS memory and share one buffer, so keeping one batch keeps them all.
 *
 * The synchronous reader is used on purpose: the asynchronous one leaves its promise unsettled for ever when decoding fails.
 *
 * @throws DecoderPanic; Error with arrow-rs's message
 */
export function decodeBatches(parquet: Uint8Array, batchRows: number): RecordBatch[] {
  return guard(() => tableFromIPC(readParquet(parquet, { batchSize: batchRows }).intoIPCStream()).batches);
}

/** The Arrow schema of a Parquet file in memory. Throws as `decodeBatches` does. */
export function decodeSchema(parquet: Uint8Array): Schema {
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
