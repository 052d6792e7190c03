import type { ModelBundle } from '../model/loadBundle.ts';
import { WorkerPool } from '../scoring/workerPool.ts';
import { modelIdentity } from './modelIdentity.ts';
import type { PartSpec } from './partSpec.ts';
import { planPartition } from './planPartition.ts';
import { type PublishOutcome, publishPartition } from './publishPartition.ts';
import { scorePart } from './scorePart.ts';

export interface RunPartitionOptions {
  readonly inputUri: string;
  readonly root: string;
  readonly partition: string;
  readonly targetRows: number;
  readonly workers: number;
  readonly liftHold?: boolean;
  /** Called after every part. */
  readonly onPart?: (spec: PartSpec, done: number, total: number) => void;
}

export interface PartitionRun {
  readonly outcome: PublishOutcome;
  readonly partsScored: number;
  readonly partsDoneBefore: number;
  readonly rows: number;
}

/** Plans, scores and publishes one partition in this process: what the Lambda functions do, without them. */
export async function runPartition(
  bundle: ModelBundle,
  { inputUri, root, partition, targetRows, workers, liftHold = false, onPart }: RunPartitionOptions,
): Promise<PartitionRun> {
  const place = { root, partition, model: modelIdentity(bundle) };
  const plan = await planPartition(inputUri, place, targetRows);
  const open = plan.specs.filter((_, index) => plan.receipts[index] === undefined);
  const pool = new WorkerPool(workers, {
    contract: bundle.contract,
    modelBytes: bundle.modelBytes,
    extraColumns: [],
  });
  let done = plan.specs.length - open.length;
  const queue = open.values();
  const lane = async () => {
    for (const spec of queue) {
      await scorePart(spec, root, partition, bundle, pool);
      onPart?.(spec, ++done, plan.specs.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(workers, open.length) }, lane));
  } finally {
    await pool.close();
  }
  const { basedOnGeneration } = plan;
  const outcome = await publishPartition(place, { inputUri, targetRows, basedOnGeneration, liftHold });
  return {
    outcome,
    partsScored: open.length,
    partsDoneBefore: plan.specs.length - open.length,
    rows: plan.specs.reduce((sum, { rows }) => sum + rows, 0),
  };
}
