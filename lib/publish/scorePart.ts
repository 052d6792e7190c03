import { Ncs4cvrError } from '../base/errors.ts';
import { type RetryLaw, retry } from '../base/retry.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { WorstSpanFinder } from '../profile/worstSpans.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import { storageFor } from '../storage/openStorage.ts';
import { modelIdentity } from './modelIdentity.ts';
import { below, partPath } from './outputLayout.ts';
import type { Part } from './part.ts';
import { findReceipt, type PartPlace, type Receipt, writeReceipt } from './receipt.ts';
import { type CallLimits, type StoppedPart, scorePartInCalls } from './scorePartInCalls.ts';
import {
  type PartCall,
  type PartSource,
  type ScoredPartFile,
  scorePartRows,
  WRITE_ONCE,
} from './scorePartRows.ts';

/** How a call ended: with the part's receipt, or with where the next call goes on. */
export type ScoredPart =
  | { readonly receipt: Receipt; readonly rowsScored: number; readonly wasDone: boolean }
  | StoppedPart;

/** Between a collector's claim and its deletion are some requests. */
const COLLECTOR_LAW: RetryLaw = {
  attempts: 6,
  firstPauseMillis: 200,
  growth: 2,
  longestPauseMillis: 2_000,
};

/**
 * Scores one part and writes the receipt; what anybody has done already is left as it is. May be killed at any point and
 * called again, by several at a time.
 * @throws StorageError STORAGE_FILE_CHANGED, STORAGE_NOT_FOUND when a shard isn't the planned version any more; the error of
 * a broken shard, which names it
 */
export function scorePart(
  part: Part,
  source: PartSource,
  bundle: ModelBundle,
  pool: WorkerPool,
  limits: CallLimits = {},
): Promise<ScoredPart> {
  return retry(() => scorePartOnce({ part, source, bundle, pool }, limits), COLLECTOR_LAW, {
    isWorthwhile: (error) => error instanceof Ncs4cvrError && error.code === 'PUBLISH_PART_COLLECTED',
  });
}

async function scorePartOnce(call: PartCall, limits: CallLimits): Promise<ScoredPart> {
  const { part, bundle } = call;
  const { root, partition } = call.source;
  const place: PartPlace = { root, partition, model: modelIdentity(bundle) };
  const done = await findReceipt(part.partId, place);
  if (done !== undefined) return { receipt: done, rowsScored: 0, wasDone: true };
  const uri = below(root, partPath(partition, part.partId));
  const isOneCall = limits.progress === undefined && limits.mayGoOn === undefined;
  const scored = isOneCall ? await scoreWholePart(call, uri) : await scorePartInCalls(call, uri, limits);
  if ('progress' in scored) return scored;
  const { content, rowsScored, created, leftovers } = scored;
  const receipt = await writeReceipt(part, place, content, bundle.contract.rowKeys, created);
  // Not before: whoever has to try again goes on from them.
  for (const each of leftovers) await storageFor(each).remove(each);
  return { receipt, rowsScored, wasDone: false };
}

async function scoreWholePart(call: PartCall, uri: string): Promise<ScoredPartFile> {
  const { profile, spans, deadLetters, sizeBytes, version } = await scorePartRows(call, uri, WRITE_ONCE);
  const worst = new WorstSpanFinder(call.bundle.layout, call.bundle.reference);
  worst.addAll(spans);
  return {
    content: { profile, worstSpans: worst.found(), deadLetters },
    rowsScored: call.part.rows,
    ...(version !== undefined && { created: { sizeBytes, version } }),
    leftovers: [],
  };
}
