import { Ncs4cvrError } from '../errors.ts';

/**
 * arrow-rs panicked or ran out of memory inside WASM. The instance goes on working for a while, but the trap leaks what the
 * call had allocated and its part of the shadow stack: after about 700 panics of one kind every call failed with
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
