import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { scoringPool } from '../scoring/workerPool.ts';
import { refuseOtherModel } from './modelIdentity.ts';
import { type PublishOutcome, publishPartition } from './publishPartition.ts';
import { openSpans, publishRequests, type RunPlan } from './runPlan.ts';
import { scorePart } from './scoreUnit.ts';

export interface ExecutedPartition {
  readonly partition: string;
  readonly partsScored: number;
  readonly outcome: PublishOutcome;
}

export interface ExecuteOptions {
  readonly workers: number;
  /** Called after every part that was scored. */
  readonly onPart?: (partition: string, rows: number) => void;
}

/**
 * Scores and publishes a plan's partitions in this process, one after the other: what the Lambda functions do, without
 * them. The first error ends it; parts that are done stay done.
 * @throws Ncs4cvrError PLAN_OTHER_MODEL when the bundle isn't the one that was planned with
 */
export async function executePlan(
  plan: RunPlan,
  bundle: ModelBundle,
  { workers, onPart }: ExecuteOptions,
): Promise<ExecutedPartition[]> {
  refuseOtherModel(bundle, plan.model);
  const pool = scoringPool(bundle, workers);
  const executed: ExecutedPartition[] = [];
  try {
    for (const [index, request] of publishRequests(plan).entries()) {
      const { root, partition } = request;
      const open = openSpans(plan.partitions[index]!);
      await mapConcurrently(open, workers, async (span) => {
        await scorePart(span, root, partition, bundle, pool);
        onPart?.(partition, span.rows);
      });
      const outcome = await publishPartition(request, request);
      executed.push({ partition, partsScored: open.length, outcome });
    }
    return executed;
  } finally {
    await pool.close();
  }
}
