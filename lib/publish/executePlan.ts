import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import type { Auditors } from '../gates/ownAudit.ts';
import { scoringPool, type WorkerPool } from '../scoring/workerPool.ts';
import { MOST_CUTS } from './brokenShard.ts';
import { cutPartition } from './cutPartition.ts';
import { planOfCut } from './makeRunPlan.ts';
import { modelIdentity, refuseOtherModel } from './modelIdentity.ts';
import { describeMissing, type Part } from './part.ts';
import type { PartitionRun } from './partitionRun.ts';
import { whyHeld } from './pointer.ts';
import { type PublishOutcome, publishPartition } from './publishPartition.ts';
import { openParts, type RunPlan, runsOfPlan } from './runPlan.ts';
import { RunRecorder } from './runRecord.ts';
import { scorePart } from './scorePart.ts';
import { isDropped } from './scoreUnit.ts';

export interface ExecutedPartition {
  readonly partition: string;
  readonly partsScored: number;
  /** Or what has kept it from an outcome. */
  readonly outcome: PublishOutcome | { readonly kind: 'failed'; readonly error: unknown };
}

export interface ExecuteOptions {
  readonly workers: number;
  /** Carry the user's own audit out, where it may run. */
  readonly auditors?: Auditors;
  /** Called after every part that was scored. */
  readonly onPart?: (partition: string, rows: number) => void;
  /** Notes when what was done. */
  readonly recorder?: RunRecorder;
}

type PartitionRecorder = ReturnType<RunRecorder['beginPartition']>;

/** How often a partition is cut anew when shards of it turn out to be replaced or gone. */
const ATTEMPTS = 3;

/**
 * Scores and publishes a plan's partitions in this process, one after the other: what the state machine does, without it.
 * A partition that fails doesn't keep the others from being tried, unless the disk is full; parts that are done stay done.
 * @throws Ncs4cvrError PLAN_OTHER_MODEL when the bundle isn't the one that was planned with
 */
export async function executePlan(
  plan: RunPlan,
  bundle: ModelBundle,
  { workers, auditors = {}, onPart, recorder = new RunRecorder() }: ExecuteOptions,
): Promise<ExecutedPartition[]> {
  refuseOtherModel(bundle.uri, modelIdentity(bundle), plan.model);
  const pool = scoringPool(bundle, workers);
  const executed: ExecutedPartition[] = [];
  let full: ExecutedPartition['outcome'] | undefined;
  try {
    for (const [index, run] of runsOfPlan(plan).entries()) {
      const { partition } = run;
      if (full !== undefined) {
        executed.push({ partition, partsScored: 0, outcome: full });
        continue;
      }
      let partsScored = 0;
      const onScored = (rows: number) => {
        partsScored++;
        onPart?.(partition, rows);
      };
      const planned = plan.partitions[index]!;
      const recording = recorder.beginPartition(planned);
      const options = { workers, auditors, recording, onScored };
      const outcome = await executePartition(run, openParts(planned), bundle, pool, options).catch(
        (error: unknown) => ({ kind: 'failed' as const, error }),
      );
      recording.end(toldOutcome(outcome), problemsOf(outcome, planned.parts));
      executed.push({ partition, partsScored, outcome });
      full = outcome.kind === 'failed' && isFull(outcome.error) ? outcome : undefined;
    }
    return executed;
  } finally {
    await pool.close();
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Ncs4cvrError && error.code === 'STORAGE_FULL';
}

/** What people are told became of a partition: what a gate has refused is `blocked`, by `run`, its report and `status` alike. */
export function toldOutcome(outcome: ExecutedPartition['outcome']): string {
  return outcome.kind === 'refused' && outcome.blocked !== undefined ? 'blocked' : outcome.kind;
}

/** What stood against a partition, in words. */
function problemsOf(outcome: ExecutedPartition['outcome'], planned: readonly Part[]): readonly string[] {
  switch (outcome.kind) {
    case 'failed':
      return [messageOf(outcome.error)];
    case 'refused':
      return outcome.problems;
    case 'held':
    case 'superseded':
      return [outcome.reason];
    case 'incomplete':
      return [describeMissing(outcome.missing, planned)];
    default:
      return outcome.broken.map(({ shard, message }) => `without ${shard}: ${message}`);
  }
}

interface PartitionOptions {
  readonly workers: number;
  readonly auditors: Auditors;
  readonly recording: PartitionRecorder;
  readonly onScored: (rows: number) => void;
}

async function executePartition(
  run: PartitionRun,
  planned: readonly Part[],
  bundle: ModelBundle,
  pool: WorkerPool,
  { workers, auditors, recording, onScored }: PartitionOptions,
): Promise<PublishOutcome> {
  const hold = await whyHeld(run);
  if (hold !== undefined) return { kind: 'held', reason: hold };
  let open = planned;
  let brokenCount = 0;
  let attemptsLeft = ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    const failures: unknown[] = [];
    let dropped = 0;
    await mapConcurrently(open, workers, async (part) => {
      const endPart = recording.beginPart(part);
      try {
        const scored = await scorePart(part, run, bundle, pool);
        const isNew = 'receipt' in scored && !scored.wasDone;
        endPart(isNew ? 'scored' : 'done');
        if (isNew) onScored(part.rows);
      } catch (error) {
        // The others would fill what this one has left.
        const isOut = isFull(error);
        const isCutAnew = !isOut && (await isDropped(part, run, bundle, error));
        endPart(isCutAnew ? 'dropped' : 'failed', error);
        if (isOut) throw error;
        if (isCutAnew) dropped++;
        else failures.push(error);
      }
    });
    if (failures.length > 0) throw failures[0];
    const outcome = await publishPartition(run, { auditors });
    if (outcome.kind !== 'incomplete' || dropped === 0) return outcome;
    const cut = (await cutPartition(run))!;
    // Each time that more are known to be broken, fewer are left.
    if (cut.broken.length <= brokenCount) attemptsLeft--;
    brokenCount = cut.broken.length;
    if (attemptsLeft === 0 || attempt === MOST_CUTS) return outcome;
    open = openParts(await planOfCut(run, cut));
  }
}
