import { PublishError } from '../errors.ts';
import type { ModelBundle } from '../model/loadBundle.ts';
import { isSameModel, modelIdentity } from './modelIdentity.ts';
import { type PublishOutcome, publishPartition } from './publishPartition.ts';
import type { RunPlan } from './runPlan.ts';
import { scoreParts } from './scoreParts.ts';

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
 * them.
 * @throws PublishError PLAN_OTHER_MODEL when the bundle isn't the one that was planned with
 */
export async function executePlan(
  plan: RunPlan,
  bundle: ModelBundle,
  { workers, onPart }: ExecuteOptions,
): Promise<ExecutedPartition[]> {
  const { root, model, targetRows, liftHold } = plan;
  if (!isSameModel(modelIdentity(bundle), model)) {
    throw new PublishError('PLAN_OTHER_MODEL', "the bundle isn't the one that the plan is for", {
      file: bundle.uri,
      expected: `${model.version}, sha256 ${model.sha256}`,
      found: `${bundle.manifest.modelVersion}, sha256 ${modelIdentity(bundle).sha256}`,
    });
  }
  const executed: ExecutedPartition[] = [];
  for (const { partition, inputUri, basedOnGeneration, specs, done } of plan.partitions) {
    const finished = new Set(done);
    const open = specs.filter((_, index) => !finished.has(index));
    await scoreParts(open, root, partition, bundle, workers, (spec) => onPart?.(partition, spec.rows));
    const outcome = await publishPartition(
      { root, partition, model },
      { inputUri, targetRows, basedOnGeneration, liftHold },
    );
    executed.push({ partition, partsScored: open.length, outcome });
  }
  return executed;
}
