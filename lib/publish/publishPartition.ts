import { HOUR_MILLIS } from '../base/calendarDay.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { pauseMillis, type RetryLaw, systemClock } from '../base/retry.ts';
import { blockingVerdicts } from '../gates/judgePublication.ts';
import type { Auditors } from '../gates/ownAudit.ts';
import { describeVerdict, type Verdict } from '../gates/verdict.ts';
import { probeConditions } from '../storage/probeConditions.ts';
import { auditOf, writeAudit } from './audit.ts';
import { type BlockedPartition, clearBlocked, noteBlocked } from './blockedPartition.ts';
import type { BrokenShard } from './brokenShard.ts';
import { cutPartition } from './cutPartition.ts';
import { type LeftOutRows, leftOutRows } from './deadLetters.ts';
import { INPUT_CHECKS, type InputCheck, type ScoredInput } from './inputChecks.ts';
import { judgePartition } from './judgePartition.ts';
import { manifestOf, readManifest, receiptsIn, writeManifest } from './manifest.ts';
import { isSameModel } from './modelIdentity.ts';
import type { Part } from './part.ts';
import type { PartitionRun } from './partitionRun.ts';
import { flipPointer, type Pointer, type PointerState, type Publication, readPointer } from './pointer.ts';
import { doneParts, type Receipt, readReceipt } from './receipt.ts';

/** What readers see from now on, or saw before. */
interface PublishedOutcome {
  readonly kind: 'published' | 'unchanged';
  readonly pointer: Pointer;
  /** Shards that were left out. */
  readonly broken: readonly BrokenShard[];
  /** Rows that were left out, of the other shards. */
  readonly deadLetters: LeftOutRows;
  /** Of the gates; empty where nothing was to be judged, as of what is visible already. */
  readonly verdicts: readonly Verdict[];
}

/** How a publication ended (docs/publish-protocol.md). Only `published` has changed anything. */
export type PublishOutcome =
  | PublishedOutcome
  | { readonly kind: 'incomplete'; readonly missing: readonly Part[] }
  | {
      readonly kind: 'refused';
      readonly problems: readonly string[];
      readonly verdicts: readonly Verdict[];
      /** What gates have blocked: an operator may release it. Undefined where the input itself isn't whole. */
      readonly blocked?: BlockedPartition;
    }
  | { readonly kind: 'held' | 'superseded'; readonly reason: string };

/** Of publishers that race for one pointer. */
const RACE_LAW: RetryLaw = { firstPauseMillis: 50, growth: 2, longestPauseMillis: 5_000 };

/** Begins every problem that gates name. */
const BLOCKED_CODE = 'PUBLISH_GATE_BLOCKED';

/**
 * What was read longer ago isn't published or noted as blocked any more, such as after a suspended process went on: `gc` deletes parts a day after it
 * has condemned them.
 */
export const FRESH_MILLIS = 6 * HOUR_MILLIS;

/** Receipts that are read at a time. */
const READS_AT_A_TIME = 32;

export interface PublishOptions {
  /** Carry the user's own audit out, where it may run. */
  readonly auditors?: Auditors;
  /** @internal for tests: refusals that no input gives */
  readonly inputChecks?: readonly InputCheck[];
}

/**
 * Makes the scores of a partition's current input visible, all at once, if every part of it is there and no gate blocks it. Any
 * number of publishers may run at a time.
 */
export async function publishPartition(
  run: PartitionRun,
  { auditors = {}, inputChecks = INPUT_CHECKS }: PublishOptions = {},
): Promise<PublishOutcome> {
  const { root, partition, model } = run;
  for (let attempt = 1; ; attempt++) {
    // Before the listing: a publisher that has seen a newer listing changes the pointer, and this one's flip fails.
    const startMillis = Date.now();
    const state = await readPointer(root, partition);
    const { pointer } = state;
    const previous = pointer?.current;
    // All of this relies on conditional writes: a store that ignores them is told from others before it is relied on.
    if (pointer === undefined && attempt === 1) await probeConditions(root);
    const forbidden = whyForbidden(run, pointer);
    if (forbidden !== undefined) return forbidden;
    const input = await scoredInput(run, previous);
    if ('missing' in input) return { kind: 'incomplete', missing: input.missing };
    const problems = inputChecks.flatMap((check) => check(input, run));
    if (problems.length > 0) return { kind: 'refused', problems, verdicts: [] };
    const { receipts, broken } = input;
    const deadLetters = leftOutRows(receipts);
    const manifest = manifestOf(partition, model, receipts, broken);
    const written = await writeManifest(root, manifest);
    const modelUri = modelUriOf(run, pointer);
    const isVisible = previous?.sha256 === written.sha256;
    if (isVisible && previous.modelUri === modelUri && pointer?.hold === null) {
      await clearBlocked(root, partition, pointer.generation);
      return { kind: 'unchanged', pointer, broken, deadLetters, verdicts: [] };
    }
    // What readers have already is theirs, whoever let it pass.
    const verdicts = isVisible ? [] : await judgePartition(run, manifest, written, auditors);
    const auditDocument = auditOf(run, written.sha256, verdicts);
    const publication: Publication = {
      ...{ ...written, modelUri, audit: await writeAudit(root, auditDocument) },
      ...(isVisible && previous.isReleased === true ? { isReleased: true } : {}),
      ...(deadLetters.rows + broken.length === 0
        ? {}
        : { leftOut: { rows: deadLetters.rows, shards: broken.length } }),
    };
    if (Date.now() - startMillis > FRESH_MILLIS) continue;
    const outcome =
      blockingVerdicts(verdicts).length > 0
        ? await keepFromReaders(run, pointer, publication, verdicts)
        : await makeVisible(run, state, publication, { broken, deadLetters, verdicts });
    if (outcome !== undefined) {
      // `gc` may have deleted an audit document that stood here for long, before it could see that it is named.
      await writeAudit(root, auditDocument);
      return outcome;
    }
    await systemClock.sleep(pauseMillis(RACE_LAW, attempt));
  }
}

/** Why nothing of a run may be published as long as the pointer is this one; undefined where it may. */
function whyForbidden(
  { model, liftHold, basedOnGeneration }: PartitionRun,
  pointer: Pointer | undefined,
): PublishOutcome | undefined {
  if (pointer === undefined) return undefined;
  const { current, hold, modelSince } = pointer;
  if (hold !== null && !liftHold) return { kind: 'held', reason: hold };
  // A flip that kept its model, for a shard that landed, supersedes nobody; a roll-back does, also one to the same model: a run
  // lifts a hold that it was planned with, and none that came later.
  const isOther = !isSameModel(current.model, model);
  if ((!isOther && hold === null) || modelSince <= basedOnGeneration) return undefined;
  const reason =
    hold === null
      ? `${current.model.version} was published after this run was planned`
      : `the partition was rolled back after this run was planned: ${hold}`;
  return { kind: 'superseded', reason };
}

/** The input as it stands, with a receipt for each of its parts; or the parts that nobody has scored. */
async function scoredInput(
  run: PartitionRun,
  previous: Publication | undefined,
): Promise<ScoredInput | { readonly missing: readonly Part[] }> {
  const { parts, broken } = (await cutPartition(run))!;
  const done = await doneParts(run);
  const open = parts.filter(({ partId }) => !done.has(partId));
  if (open.length > 0) return { missing: open };
  const receipts = await receiptsOf(parts, done, run, previous);
  const missing = parts.filter((_, index) => receipts[index] === undefined);
  return missing.length > 0 ? { missing } : { parts, receipts: receipts as readonly Receipt[], broken };
}

/** Where the model's bundle is. Of the same model at another place, the later plan knows. */
function modelUriOf(
  { model, modelUri, basedOnGeneration }: PartitionRun,
  pointer: Pointer | undefined,
): string {
  if (pointer === undefined || !isSameModel(pointer.current.model, model)) return modelUri;
  return basedOnGeneration < pointer.generation ? pointer.current.modelUri : modelUri;
}

/** @returns undefined when the pointer isn't what it was any more, or somebody else has noted something: look again */
async function keepFromReaders(
  { root, partition }: PartitionRun,
  pointer: Pointer | undefined,
  publication: Publication,
  verdicts: readonly Verdict[],
): Promise<PublishOutcome | undefined> {
  const problems = blockingVerdicts(verdicts).map((each) => `${BLOCKED_CODE}: ${describeVerdict(each)}`);
  const blocked = await noteBlocked(root, partition, publication, pointer?.generation ?? 0, problems);
  return blocked && { kind: 'refused', problems, verdicts, blocked };
}

/** @returns undefined when the pointer isn't what it was any more: look again */
async function makeVisible(
  { root, partition }: PartitionRun,
  state: PointerState,
  publication: Publication,
  told: Pick<PublishedOutcome, 'broken' | 'deadLetters' | 'verdicts'>,
): Promise<PublishOutcome | undefined> {
  const flipped = await flipPointer(root, partition, state, publication, null);
  return flipped && { kind: 'published', pointer: flipped, ...told };
}

/**
 * A receipt for every part, at the part's place; undefined where it is gone. Those that the visible manifest holds are taken
 * from there: a shard that lands changes a few parts, and costs as many requests.
 * @param done length in bytes by part, of all parts
 */
async function receiptsOf(
  parts: readonly Part[],
  done: ReadonlyMap<string, number>,
  run: PartitionRun,
  previous: Publication | undefined,
): Promise<(Receipt | undefined)[]> {
  const visible = await visibleReceipts(run, previous);
  return mapConcurrently(parts, READS_AT_A_TIME, async ({ partId }) => {
    const sizeBytes = done.get(partId)!;
    const known = visible.get(partId);
    return known?.sizeBytes === sizeBytes ? known : readReceipt(partId, sizeBytes, run);
  });
}

/** None where the visible manifest is of another model, or can't be read: each is below the output root as well. */
async function visibleReceipts(
  { root, model }: PartitionRun,
  previous: Publication | undefined,
): Promise<ReadonlyMap<string, Receipt>> {
  if (previous === undefined || !isSameModel(previous.model, model)) return new Map();
  try {
    return receiptsIn(await readManifest(root, previous));
  } catch (error) {
    if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
    return new Map();
  }
}
