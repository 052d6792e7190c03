import { isSameModel } from './modelIdentity.ts';
import { type Pointer, readPointer } from './pointer.ts';
import type { RunPlan } from './runPlan.ts';

/** What readers see of a partition that was planned. */
export interface VisibleState {
  readonly partition: string;
  /** Null for a partition that was never published. */
  readonly pointer: Pointer | null;
  /** Are they scores of the plan's model, and not held? */
  readonly isAsPlanned: boolean;
}

/** After a run of a plan elsewhere: what it has come to, in the plan's order. */
export async function visibleStates({ root, model, partitions }: RunPlan): Promise<VisibleState[]> {
  const states: VisibleState[] = [];
  for (const { partition } of partitions) {
    const { pointer = null } = await readPointer(root, partition);
    const isAsPlanned =
      pointer !== null && pointer.hold === null && isSameModel(pointer.current.model, model);
    states.push({ partition, pointer, isAsPlanned });
  }
  return states;
}
