import { Ncs4cvrError } from '../lib/base/errors.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { currentInput, folderPartition } from '../lib/job/jobInput.ts';
import { whyStillLanding } from '../lib/job/readiness.ts';
import { MOST_CUTS } from '../lib/publish/brokenShard.ts';
import type { PartitionRun } from '../lib/publish/partitionRun.ts';
import { planPartition } from '../lib/publish/planPartition.ts';
import { whyHeld } from '../lib/publish/pointer.ts';
import { parseS3Uri } from '../lib/storage/uri.ts';
import { choosePartitionItems } from './choosePartitionItems.ts';
import type { PartitionStep } from './partitionStep.ts';
import { logger, metrics } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/** Kept for writing down what was read. */
const RESERVE_MILLIS = 20_000;
/** What one vCPU scores in ten minutes at a third of the speed that infra/prices.json has, of the fifteen that a worker has. */
const MOST_ROW_GROUP_ROWS = 18_000_000;
/** Names in one record, whose size CloudWatch limits. */
const LOGGED = 100;

/**
 * Plans a partition of a run, or plans it anew: lists its input as it is now, and writes the work units that are open. When time
 * runs out while footers are read, the step says that the partition isn't planned, and the next call goes on from there. For
 * arrivals, a partition that lacks what its job goes by, or has no shard, is left to what lands next.
 * @throws Ncs4cvrError of an input that can't be planned, such as PLAN_STALE, and INPUT_EMPTY but for arrivals
 */
export function planPartitionStep(
  step: PartitionStep,
  job: JobDocument,
  remainingMillis: () => number,
): Promise<PartitionStep> {
  const { partition } = step.item;
  return traced('plan partition', { partition }, async () => {
    if (await isAwaited(step, job)) return { ...step, isPlanned: true, awaitsMore: true };
    const item = await currentItem(step, job);
    annotate('model', item.model.version);
    const hold = await whyHeld(item);
    if (hold !== undefined) {
      logger.info(`${partition} is held: nothing is scored`, { reason: hold });
      return { ...step, item, attempt: step.attempt + 1, unitCount: 0, isPlanned: true };
    }
    const planning = planPartition(item, {
      mayGoOn: () => remainingMillis() > RESERVE_MILLIS,
      mostRowGroupRows: MOST_ROW_GROUP_ROWS,
    });
    const planned = await planning.catch((error: unknown) => emptyOf(step, error));
    if (planned === 'empty') return { ...step, item, isPlanned: true, awaitsMore: true };
    if (planned === undefined) return { ...step, item, isPlanned: false };
    const { unitsUri, ignored, ...counts } = planned;
    if (ignored.length > 0) {
      const names = { count: ignored.length, ignored: ignored.slice(0, LOGGED) };
      logger.warn('files that are no shards were passed over', names);
    }
    metrics.addMetric('unitsPlanned', 'Count', counts.unitCount);
    const { unitCount, brokenCount } = counts;
    const told = { ...attemptsAt(step, brokenCount), brokenCount };
    logger.info(`planned ${partition}`, { model: item.model.version, ...counts, ...told });
    return { ...step, ...told, item, units: parseS3Uri(unitsUri), unitCount, isPlanned: true };
  });
}

/** A plan that knows of more broken shards than the one before is no attempt lost: fewer are left, and all of them are to be named. */
function attemptsAt(
  { attempt, plans = attempt, brokenCount: before = 0 }: PartitionStep,
  brokenCount: number,
): Pick<PartitionStep, 'attempt' | 'plans'> {
  const isNearer = attempt > 0 && brokenCount > before && plans < MOST_CUTS;
  return { attempt: isNearer ? attempt : attempt + 1, plans: plans + 1 };
}

/**
 * Of arrivals: is more to land, by the job's own words, before readers may see any of it? Also while a partition that they see is
 * written anew, as its writer takes the marker away first.
 */
async function isAwaited({ item, arrival }: PartitionStep, job: JobDocument): Promise<boolean> {
  if (arrival === undefined) return false;
  const { partition } = item;
  const reason = await whyStillLanding(job, folderPartition(job.input, partition), Date.now());
  if (reason !== undefined) logger.info(`${partition} is still landing`, { reason });
  return reason !== undefined;
}

/** Any object starts a run of arrivals: that there is no shard beside it yet is no failure of the run. */
function emptyOf({ item, arrival }: PartitionStep, error: unknown): 'empty' {
  if (arrival === undefined || !(error instanceof Ncs4cvrError) || error.code !== 'INPUT_EMPTY') throw error;
  logger.warn(`nothing to score in ${item.partition}`, { reason: error.message });
  return 'empty';
}

/**
 * What is planned anew is what is there now, whatever an operator has looked at before. A run may have published another
 * model since an arrival was chosen: what landed is then scored with that one.
 */
async function currentItem(
  { item, attempt, arrival }: PartitionStep,
  job: JobDocument,
): Promise<PartitionRun> {
  if (attempt === 0) return item;
  if (arrival === undefined) {
    const { partsDigest: _, ...same } = item;
    return currentInput(same);
  }
  const { items } = await choosePartitionItems(job, { arrival }, Date.now());
  return items[0]!;
}
