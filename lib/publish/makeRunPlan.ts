import type { InputPartition } from '../job/jobInput.ts';
import { DEFAULT_LAYOUT, type PartitionLayout, parsePartitionLayout } from '../job/partitionLayout.ts';
import { type CutPartition, cutPartition, refuseChangedList } from './cutPartition.ts';
import { type PartitionRun, partitionRuns, type RunSettings } from './partitionRun.ts';
import { doneParts } from './receipt.ts';
import { type PlannedPartition, planWith, type RunPlan } from './runPlan.ts';

/** A plan, and what its partitions hold beside it. */
export interface MadePlan {
  readonly plan: RunPlan;
  /** URIs of the files in its partitions that are no shards. */
  readonly ignored: readonly string[];
}

/** The plan of a run that somebody has chosen partitions and a model for: each of its parts named. */
export async function makeRunPlan(
  settings: RunSettings,
  partitions: readonly InputPartition[],
  layout: PartitionLayout = parsePartitionLayout(DEFAULT_LAYOUT),
): Promise<MadePlan> {
  const planned: PlannedPartition[] = [];
  const ignored: string[] = [];
  for (const run of await partitionRuns(settings, partitions, layout)) {
    const cut = (await cutPartition(run))!;
    refuseChangedList(run, cut);
    planned.push(await planOfCut(run, cut));
    ignored.push(...cut.ignored);
  }
  return { plan: planWith(settings, planned), ignored };
}

/** What is to be done of a partition that was cut. */
export async function planOfCut(
  run: Pick<PartitionRun, 'root' | 'partition' | 'inputUri' | 'fileList' | 'basedOnGeneration' | 'earlier'>,
  { parts, broken, shardCount, sizeBytes }: CutPartition,
): Promise<PlannedPartition> {
  const { partition, inputUri, fileList, basedOnGeneration, earlier } = run;
  const done = await doneParts(run);
  return {
    partition,
    inputUri,
    ...(fileList === undefined ? {} : { fileList }),
    basedOnGeneration,
    earlier,
    shardCount,
    sizeBytes,
    parts: [...parts],
    done: parts.flatMap(({ partId }, place) => (done.has(partId) ? [place] : [])),
    broken: [...broken],
  };
}
