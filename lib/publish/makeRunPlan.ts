import { Ncs4cvrError } from '../base/errors.ts';
import type { InputPartition } from '../job/jobInput.ts';
import type { SkippedFolder } from '../job/listPartitions.ts';
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
  /** Partitions without a shard, which stand in no other's way. */
  readonly empty: readonly SkippedFolder[];
}

/**
 * The plan of a run that somebody has chosen partitions and a model for: each of its parts named.
 * @throws StorageError INPUT_EMPTY where none of the partitions has a shard
 */
export async function makeRunPlan(
  settings: RunSettings,
  partitions: readonly InputPartition[],
  layout: PartitionLayout = parsePartitionLayout(DEFAULT_LAYOUT),
): Promise<MadePlan> {
  const cuts = new Map<string, CutPartition>();
  const empty: SkippedFolder[] = [];
  let runs = await partitionRuns(settings, partitions, layout);
  for (const run of runs) {
    const cut = await cutOrEmpty(run);
    if (cut instanceof Ncs4cvrError) {
      if (empty.length === partitions.length - 1) throw cut;
      empty.push({ name: run.partition, reason: cut.message });
    } else {
      refuseChangedList(run, cut);
      cuts.set(run.partition, cut);
    }
  }
  // No partition may be compared with one that this run leaves out.
  const left = partitions.filter(({ partition }) => cuts.has(partition));
  if (empty.length > 0) runs = await partitionRuns(settings, left, layout);
  const planned: PlannedPartition[] = [];
  for (const run of runs) planned.push(await planOfCut(run, cuts.get(run.partition)!));
  const ignored = [...cuts.values()].flatMap((cut) => cut.ignored);
  return { plan: planWith(settings, planned), ignored, empty };
}

/** @returns why it has no shard, where that is all that is wrong with it */
async function cutOrEmpty(run: PartitionRun): Promise<CutPartition | Ncs4cvrError> {
  try {
    return (await cutPartition(run))!;
  } catch (error) {
    if (error instanceof Ncs4cvrError && error.code === 'INPUT_EMPTY') return error;
    throw error;
  }
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
