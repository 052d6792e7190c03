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

/** A verified bundle and the threads that score with it. */
export interface WarmModel {
  readonly bundle: ModelBundle;
  readonly pool: WorkerPool;
}

let warm: { readonly model: ModelIdentity; readonly loading: Promise<WarmModel> } | undefined;

/**
 * The model of a unit, kept between invocations by its digests. One at a time: another model takes its place. A load
 * that failed is forgotten.
 */
export async function warmModel(uri: string, model: ModelIdentity): Promise<WarmModel> {
  if (warm !== undefined && isSameModel(warm.model, model)) return warm.loading;
  const former = warm;
  const loading = load(uri, model);
  const entry = { model, loading };
  warm = entry;
  loading.catch(() => {
    if (warm === entry) warm = undefined;
  });
  await former?.loading.then(({ pool }) => pool.close()).catch(() => undefined);
  return loading;
}

async function load(uri: string, model: ModelIdentity): Promise<WarmModel> {
  const bundle = await loadBundle(storageFor(uri), uri);
  refuseOtherModel(uri, modelIdentity(bundle), model);
  return { bundle, pool: scoringPool(bundle, availableParallelism()) };
}
