import { HOUR_MILLIS } from '../base/calendarDay.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { pauseMillis, type RetryLaw, systemClock } from '../base/retry.ts';
import { blockingVerdicts } from '../gates/judgePublication.ts';
import type { Auditors } from '../gates/ownAudit.ts';
import { describeVerdict, type Verdict } from '../gates/verdict.ts';
import { deadLetterBudget } from '../job/badRows.ts';
import { probeConditions } from '../storage/probeConditions.ts';
import { auditOf, writeAudit } from './audit.ts';
import { type BlockedPartition, clearBlocked, noteBlocked } from './blockedPartition.ts';
import { type BrokenShard, describeBrokenShard } from './brokenShard.ts';
import { cutPartition } from './cutPartition.ts';
import { type LeftOutRows, leftOutRows, refuseBeyondBudget } from './deadLetters.ts';
import { judgePartition } from './judgePartition.ts';
import { manifestOf, readManifest, receiptsIn, writeManifest } from './manifest.ts';
import { isSameModel } from './modelIdentity.ts';
import type { Part } from './part.ts';
import type { PartitionRun } from './partitionRun.ts';
import { flipPointer, type Pointer, type Publication, readPointer } from './pointer.ts';
import { doneParts, type Receipt, readReceipt } from './receipt.ts';

/** What an input check sees of a partition that is about to be published. */
interface CheckedInput {
  readonly run: PartitionRun;
  /** What the input holds. */
  readonly parts: readonly Part[];
  /** What was scored, in the same order. */
  readonly receipts: readonly Receipt[];
  /** Shards that are in no part. */
  readonly broken: readonly BrokenShard[];
}

/** Names what stands against publishing at all, whatever the job or an operator says; nothing if all is well. */
type InputCheck = (input: CheckedInput) => readonly string[];

/** Every row of the input is in exactly one part, scored or a dead letter. Keys and the range of the scores were checked for every receipt. */
const checkRowCounts: InputCheck = ({ parts, receipts }) =>
  parts.flatMap(({ partId, rows, spans }, index) => {
    const receipt = receipts[index]!;
    const isOf = receipt.partId === partId && JSON.stringify(receipt.spans) === JSON.stringify(spans);
    const { scoredRows, profile } = receipt;
    const deadRows = receipt.deadLetters?.rows ?? 0;
    const isWhole = receipt.rows === rows && scoredRows + deadRows === rows && profile.rows === scoredRows;
    if (isOf && isWhole) return [];
    const names = spans.map(({ shard }) => shard).join(', ');
    const left = deadRows === 0 ? '' : ` and ${deadRows} dead letters`;
    const found = receipt.rows === rows ? `${scoredRows}${left}` : `${receipt.rows}`;
    return [`${receipt.path}: expected ${rows} rows of ${names}, found ${found}`];
  });

/** No more rows are left out than the job tolerates. */
const checkDeadLetters: InputCheck = ({ run, receipts }) =>
  refuseBeyondBudget(run.root, receipts, deadLetterBudget(run.badRows));

/** Broken shards that are named in one outcome. */
const NAMED_SHARDS = 20;

/** No more shards are left out than the job tolerates, and never all of them. */
const checkBrokenShards: InputCheck = ({ run, parts, broken }) => {
  if (broken.length <= run.toleratedBrokenShards && parts.length > 0) return [];
  const named = broken.slice(0, NAMED_SHARDS).map((shard) => describeBrokenShard(run.inputUri, shard));
  const more = broken.length > NAMED_SHARDS ? [`and ${broken.length - NAMED_SHARDS} more broken shards`] : [];
  return [...named, ...more];
};

const INPUT_CHECKS: readonly InputCheck[] = [checkRowCounts, checkDeadLetters, checkBrokenShards];

/** How a publication ended (docs/publish-protocol.md). Only `published` has changed anything. */
export type PublishOutcome =
  | {
      readonly kind: 'published' | 'unchanged';
      readonly pointer: Pointer;
      /** Shards that were left out. */
      readonly broken: readonly BrokenShard[];
      /** Rows that were left out, of the other shards. */
      readonly deadLetters: LeftOutRows;
      /** Of the gates; empty where nothing was to be judged, as of what is visible already. */
      readonly verdicts: readonly Verdict[];
    }
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
  const { root, partition, model, liftHold, basedOnGeneration } = run;
  for (let attempt = 1; ; attempt++) {
    // Before the listing: a publisher that has seen a newer listing changes the pointer, and this one's flip fails.
    const startMillis = Date.now();
    const state = await readPointer(root, partition);
    const { pointer } = state;
    // All of this relies on conditional writes: a store that ignores them is told from others before it is relied on.
    if (pointer === undefined && attempt === 1) await probeConditions(root);
    if (pointer !== undefined && pointer.hold !== null && !liftHold) {
      return { kind: 'held', reason: pointer.hold };
    }
    const isOther = pointer !== undefined && !isSameModel(pointer.current.model, model);
    const isHeld = pointer !== undefined && pointer.hold !== null;
    // A flip that kept its model, for a shard that landed, supersedes nobody; a roll-back does, also one to the same model: a run
    // lifts a hold that it was planned with, and none that came later.
    if ((isOther || isHeld) && pointer.modelSince > basedOnGeneration) {
      const what = isHeld
        ? 'the partition was rolled back'
        : `${pointer.current.model.version} was published`;
      const reason = `${what} after this run was planned${isHeld ? `: ${pointer.hold}` : ''}`;
      return { kind: 'superseded', reason };
    }
    const { parts, broken } = (await cutPartition(run))!;
    const previous = pointer?.current;
    const done = await doneParts(run);
    const open = parts.filter(({ partId }) => !done.has(partId));
    if (open.length > 0) return { kind: 'incomplete', missing: open };
    const receipts = await receiptsOf(parts, done, run, previous);
    const missing = parts.filter((_, index) => receipts[index] === undefined);
    if (missing.length > 0) return { kind: 'incomplete', missing };
    const whole = receipts as readonly Receipt[];
    const problems = inputChecks.flatMap((check) => check({ run, parts, receipts: whole, broken }));
    if (problems.length > 0) return { kind: 'refused', problems, verdicts: [] };
    // The same model at another place: the later plan knows where it is.
    const generation = pointer?.generation ?? 0;
    const isLate = basedOnGeneration < generation;
    const modelUri = pointer !== undefined && !isOther && isLate ? pointer.current.modelUri : run.modelUri;
    const deadLetters = leftOutRows(whole);
    const manifest = manifestOf(partition, model, whole, broken);
    const written = await writeManifest(root, manifest);
    const isVisible = previous?.sha256 === written.sha256;
    if (isVisible && previous.modelUri === modelUri && pointer?.hold === null) {
      await clearBlocked(root, partition, generation);
      return { kind: 'unchanged', pointer, broken, deadLetters, verdicts: [] };
    }
    // What readers have already is theirs, whoever let it pass.
    const verdicts = isVisible ? [] : await judgePartition(run, manifest, written, auditors);
    const auditDocument = auditOf(run, written.sha256, verdicts);
    const audit = await writeAudit(root, auditDocument);
    const publication: Publication = {
      ...{ ...written, modelUri, audit },
      ...(isVisible && previous.isReleased === true ? { isReleased: true } : {}),
      ...(deadLetters.rows + broken.length === 0
        ? {}
        : { leftOut: { rows: deadLetters.rows, shards: broken.length } }),
    };
    const blocking = blockingVerdicts(verdicts);
    if (Date.now() - startMillis > FRESH_MILLIS) continue;
    // `gc` may have deleted an audit document that stood here for long, before it could see that it is named.
    if (blocking.length > 0) {
      const reasons = blocking.map((verdict) => `${BLOCKED_CODE}: ${describeVerdict(verdict)}`);
      const blocked = await noteBlocked(root, partition, publication, generation, reasons);
      if (blocked !== undefined) {
        await writeAudit(root, auditDocument);
        return { kind: 'refused', problems: reasons, verdicts, blocked };
      }
    } else {
      const flipped = await flipPointer(root, partition, state, publication, null);
      if (flipped !== undefined) {
        await writeAudit(root, auditDocument);
        return { kind: 'published', pointer: flipped, broken, deadLetters, verdicts };
      }
    }
    await systemClock.sleep(pauseMillis(RACE_LAW, attempt));
  }
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
