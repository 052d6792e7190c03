import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { concatenatePredictions } from '../arrow/concatenatePredictions.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { type RetryLaw, retry } from '../base/retry.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { type BadRows, deadLetterBudget } from '../job/badRows.ts';
import { addProfiles, refuseOtherFeatures } from '../profile/addProfiles.ts';
import { type PartProfile, partProfileSchema } from '../profile/partProfile.ts';
import { countedSpansSchema, WorstSpanFinder } from '../profile/worstSpans.ts';
import { partMetadata } from '../scoring/predictionMetadata.ts';
import { scoreSpans } from '../scoring/scoreSpans.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';
import { type DeadLetter, DeadLetterCollector, deadLetterSchema } from './deadLetters.ts';
import { modelIdentity } from './modelIdentity.ts';
import { below, decodeOutputDocument, partPath, segmentFolder } from './outputLayout.ts';
import type { Part } from './part.ts';
import { findReceipt, type PartPlace, type Receipt, writeReceipt } from './receipt.ts';
import { shardUri } from './span.ts';
import type { PartProgress } from './workUnit.ts';

/** Whose part it is, and where its shards are. */
export interface PartSource {
  readonly root: string;
  readonly partition: string;
  readonly inputUri: string;
  /** See `RunSettings`. */
  readonly countLabels?: boolean | undefined;
  /** As in the job document; `fail` by default. */
  readonly badRows?: BadRows | undefined;
}

export interface PartOptions {
  /** Where an earlier call has stopped. */
  readonly progress?: PartProgress;
  /**
   * Given for a part that may take more than one call. Asked before every row group but the first: is there time for so many
   * rows more, after `rowsSoFar` rows in so many seconds?
   */
  readonly mayGoOn?: (nextRows: number, rowsSoFar: number, seconds: number) => boolean;
}

/** A part of the default target is one request then, and not five. */
const ONCE = { ifAbsent: true, pieceBytes: 64 * 2 ** 20 };

/** What stands beside a segment. */
const segmentSchema = z.strictObject({
  profile: partProfileSchema,
  spans: countedSpansSchema,
  deadLetters: z.array(deadLetterSchema).readonly(),
});

/** How a call ended: with the part's receipt, or with where the next call goes on. */
export type ScoredPart =
  | { readonly receipt: Receipt; readonly rowsScored: number; readonly wasDone: boolean }
  | { readonly progress: PartProgress; readonly rowsScored: number };

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
  options: PartOptions = {},
): Promise<ScoredPart> {
  return retry(() => scorePartOnce(part, source, bundle, pool, options), COLLECTOR_LAW, {
    isWorthwhile: (error) => error instanceof Ncs4cvrError && error.code === 'PUBLISH_PART_COLLECTED',
  });
}

async function scorePartOnce(
  part: Part,
  { root, partition, inputUri, countLabels = false, badRows }: PartSource,
  bundle: ModelBundle,
  pool: WorkerPool,
  { progress, mayGoOn }: PartOptions,
): Promise<ScoredPart> {
  const place: PartPlace = { root, partition, model: modelIdentity(bundle) };
  const done = await findReceipt(part.partId, place);
  if (done !== undefined) return { receipt: done, rowsScored: 0, wasDone: true };
  const uri = below(root, partPath(partition, part.partId));
  const counts = { rowCount: part.rows, inputCount: part.spans.length };
  const metadata = () => partMetadata(bundle, counts);
  const spans = part.spans.map(({ shard, version, sizeBytes, firstRowGroup, endRowGroup }) => ({
    uri: shardUri(inputUri, shard),
    known: { sizeBytes, version },
    rowGroups: { first: firstRowGroup, end: endRowGroup },
  }));
  const budget = deadLetterBudget(badRows);
  const own = budget && new DeadLetterCollector(part, inputUri, budget);
  const leavingOut = own && { onBadCells: own.addCells.bind(own) };
  let deadLetters: readonly DeadLetter[] = [];
  let rowsScored: number;
  let profile: PartProfile;
  const worst = new WorstSpanFinder(bundle.layout);
  let created: FileStat | undefined;
  let joined: readonly string[] = [];
  if (progress === undefined && mayGoOn === undefined) {
    const scored = await scoreSpans(spans, uri, bundle, pool, {
      ...ONCE,
      metadata,
      countLabels,
      needsKeys: true,
      ...leavingOut,
    });
    const { sizeBytes, version } = scored;
    if (version !== undefined) created = { sizeBytes, version };
    rowsScored = part.rows;
    profile = scored.profile;
    worst.addAll(scored.spans);
    deadLetters = own?.letters ?? [];
  } else {
    // The part's rows so far are left as a segment. Of which rows is known only at its end, and two workers may stop at
    // different places: every segment has a name of its own.
    const segment = `${segmentFolder(partition, part.partId)}/${randomUUID()}.arrow`;
    const scored = await scoreSpans(spans, below(root, segment), bundle, pool, {
      metadata,
      countLabels,
      needsKeys: true,
      ...leavingOut,
      ...(progress === undefined ? {} : { from: progress }),
      ...(mayGoOn === undefined ? {} : { mayGoOn }),
    });
    const before = progress?.segments ?? [];
    const segments = [...before, segment];
    rowsScored = scored.rowCount;
    if (scored.stoppedAt !== undefined) {
      // Before anybody knows of the segment: it says what is in it, or nobody goes on from it.
      const { profile, spans } = scored;
      const described = { profile, spans, deadLetters: own?.letters ?? [] };
      await writeWhole(descriptionOf(below(root, segment)), encodeJson(described));
      return { progress: { segments, ...scored.stoppedAt }, rowsScored };
    }
    profile = scored.profile;
    const all = budget && new DeadLetterCollector(part, inputUri, budget);
    for (const path of before) {
      const uri = descriptionOf(below(root, path));
      const described = await readDescription(uri);
      for (const { features } of [described.profile, { features: described.spans.worst }]) {
        refuseOtherFeatures(profile.features, features, uri);
      }
      profile = addProfiles(profile, described.profile);
      worst.addAll(described.spans);
      all?.add(described.deadLetters);
    }
    worst.addAll(scored.spans);
    all?.add(own?.letters ?? []);
    deadLetters = all?.letters ?? [];
    const uris = segments.map((path) => below(root, path));
    // Their record batches one after the other: the bytes of a single call.
    await concatenatePredictions(uris, uri, ONCE);
    joined = [...uris, ...before.map((path) => descriptionOf(below(root, path)))];
  }
  const content = { profile, worstSpans: worst.found(), deadLetters };
  const receipt = await writeReceipt(part, place, content, bundle.contract.rowKeys, created);
  // Not before: whoever has to try again goes on from them.
  for (const each of joined) await storageFor(each).remove(each);
  return { receipt, rowsScored, wasDone: false };
}

function descriptionOf(segmentUri: string): string {
  return segmentUri.replace(/arrow$/, 'json');
}

async function readDescription(uri: string): Promise<z.infer<typeof segmentSchema>> {
  return decodeOutputDocument(await storageFor(uri).readWhole(uri), segmentSchema, 'segment', uri);
}
