import type { ChosenRun } from '../../../functions/chooseRun.ts';
import type { PartitionStep } from '../../../functions/partitionStep.ts';
import type { WorkUnit } from '../../../lib/publish/workUnit.ts';
import { readS3Json } from '../s3/readS3Json.ts';

export interface PlannedWhole {
  readonly run: PartitionStep;
  readonly units: readonly WorkUnit[];
}

let count = 0;

/** A run's partitions chosen and planned as the state machine does it. @param plan calls the plan function */
export async function planWhole(
  plan: (step: object) => Promise<unknown>,
  request: object,
): Promise<PlannedWhole[]> {
  const { items } = (await plan({ step: 'choose', request, run: `planned-${count++}` })) as ChosenRun;
  const planned: PlannedWhole[] = [];
  for (const partition of (await readS3Json(items.bucket, items.key)) as PartitionStep[]) {
    const run = (await plan({ step: 'planPartition', partition })) as PartitionStep;
    planned.push({ run, units: (await readS3Json(run.units!.bucket, run.units!.key)) as WorkUnit[] });
  }
  return planned;
}
