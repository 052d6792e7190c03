import { Ncs4cvrError } from '../errors.ts';

/** Was the shard another version than the one that was opened or planned? Told by the storage, or by a worker thread. */
export function isReplacedShard(error: unknown): boolean {
  if (!(error instanceof Ncs4cvrError)) return false;
  return error.code === 'STORAGE_FILE_CHANGED' || error.code === 'SHARD_CHANGED';
}
