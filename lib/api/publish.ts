import { availableParallelism } from 'node:os';
import { resolveModel } from '../channels/resolveModel.ts';
import { copyState, type StateCopy } from '../copy/copyState.ts';
import { choosePartitions, type PartitionChoice } from '../job/choosePartitions.ts';
import { type JobInput, parseJob } from '../job/jobDocument.ts';
import { openJobInput } from '../job/jobInput.ts';
import { withAbsoluteUris } from '../job/readJob.ts';
import { type ExecutedPartition, executePlan } from '../publish/executePlan.ts';
import { makeRunPlan } from '../publish/makeRunPlan.ts';
import { below } from '../publish/outputLayout.ts';
import { runSettingsOf } from '../publish/partitionRun.ts';
import { resolvePartition } from '../publish/publishedState.ts';
import { refuseStalePlan } from '../publish/refusePlan.ts';
import type { RunPlan } from '../publish/runPlan.ts';
import { absoluteUri } from '../storage/uri.ts';
import { openBundle, type WorkerOptions } from './scoreShard.ts';

/**
 * What scoring and publishing would do, as `ncs4cvr plan` says: which parts are to be scored, with which model, and which are
 * done. Nothing is written.
 * @param job a job document (docs/operations.md), as an object; relative paths start at the working folder
 * @param choice the newest complete day by default; `{ kind: 'one', partition }` or `{ kind: 'dates', from, to }`
 * @throws ProblemsError JOB_INVALID with every problem; Ncs4cvrError PLAN_NO_PARTITION, PLAN_*, INPUT_*, CHANNEL_*
 */
export async function plan(job: JobInput, choice: PartitionChoice = { kind: 'newest' }): Promise<RunPlan> {
  const parsed = withAbsoluteUris(parseJob(job));
  const input = await openJobInput(parsed);
  const { partitions } = await choosePartitions(parsed, choice, Date.now(), input);
  const settings = runSettingsOf(parsed, await resolveModel(parsed.model));
  return (await makeRunPlan(settings, partitions, parsed.layout)).plan;
}

/**
 * Scores what is open of a plan and publishes its partitions, each with one atomic flip, as `ncs4cvr run` does. It may be
 * killed, repeated and raced. A job's own audit (`gates.audit`) is never carried out from here, and so blocks or warns.
 * @returns for each partition how it ended: only `published` and `unchanged` are good ends
 * @throws Ncs4cvrError PLAN_STALE when the input has changed since, PLAN_OTHER_MODEL, BUNDLE_*
 */
export async function publish(
  runPlan: RunPlan,
  { workers = availableParallelism() }: WorkerOptions = {},
): Promise<ExecutedPartition[]> {
  await refuseStalePlan(runPlan, 'the given plan');
  return executePlan(runPlan, await openBundle(runPlan.modelUri), { workers });
}

/**
 * URIs of the Arrow files that are the published scores of a partition, as `ncs4cvr resolve` prints them.
 * @throws Ncs4cvrError PUBLISH_NOTHING
 */
export async function publishedFiles(scoresUri: string, partition: string): Promise<string[]> {
  const { manifest } = await resolvePartition(scoresUri, partition);
  return manifest.parts.map(({ path }) => below(absoluteUri(scoresUri), path));
}

/**
 * Copies the published scores of a partition to Parquet, as `ncs4cvr export-scores` does: below `outputUri`, in a folder named
 * like the partition, one file per part and `_SUCCESS` last. It may be killed and repeated.
 * @param outputUri a folder on disk or `s3://bucket/prefix`
 * @throws Ncs4cvrError PUBLISH_NOTHING, PUBLISH_PART_DAMAGED, EXPORT_OTHER_STATE, EXPORT_FOREIGN_FILES
 */
export function exportScores(scoresUri: string, partition: string, outputUri: string): Promise<StateCopy> {
  return copyState(scoresUri, partition, outputUri);
}
