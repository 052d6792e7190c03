import { availableParallelism } from 'node:os';
import { loadBundle, type ModelBundle } from '../lib/bundle/loadBundle.ts';
import {
  isSameModel,
  type ModelIdentity,
  modelIdentity,
  refuseOtherModel,
} from '../lib/publish/modelIdentity.ts';
import type { WorkerPool } from '../lib/scoring/workerPool.ts';
import { scoringPool } from '../lib/scoring/workerPool.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { inTime } from './inTime.ts';

/** A verified bundle and the threads that score with it. */
export interface WarmModel {
  readonly bundle: ModelBundle;
  readonly pool: WorkerPool;
}

/**
 * A model of 1 GB is loaded in a fraction of it, and so is a row group scored; S3 requests that are tried again and again have failed
 * by then.
 */
const LONGEST_WAIT_MILLIS = 240_000;
/** For threads that nothing is asked of any more. */
const LONGEST_CLOSE_MILLIS = 60_000;

let warm: { readonly model: ModelIdentity; readonly loading: Promise<WarmModel> } | undefined;

/**
 * The model of a unit, kept between invocations by its digests. One at a time: another model takes its place. A load
 * that failed is forgotten.
 */
export async function warmModel(uri: string, model: ModelIdentity): Promise<WarmModel> {
  if (warm !== undefined && isSameModel(warm.model, model)) return warm.loading;
  const former = warm;
  // A function that holds one model may not have the memory for two.
  const loading = closed(former).then(() => load(uri, model));
  const entry = { model, loading };
  warm = entry;
  loading.catch(() => {
    if (warm === entry) warm = undefined;
  });
  return loading;
}

/** Whatever becomes of its threads: the next model is waited for. */
async function closed(former: typeof warm): Promise<void> {
  if (former === undefined) return;
  const closing = former.loading.then(({ pool }) => pool.close());
  await inTime('the former threads', closing, LONGEST_CLOSE_MILLIS).catch(() => undefined);
}

async function load(uri: string, model: ModelIdentity): Promise<WarmModel> {
  const bundle = await inTime('the load of the model', loadBundle(storageFor(uri), uri), LONGEST_WAIT_MILLIS);
  refuseOtherModel(uri, modelIdentity(bundle), model);
  const pool = scoringPool(bundle, availableParallelism(), [], { answerMillis: LONGEST_WAIT_MILLIS });
  return { bundle, pool };
}
