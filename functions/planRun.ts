import { z } from 'zod';
import { sha256 } from '../lib/base/digest.ts';
import { encodeJson } from '../lib/base/jsonDocument.ts';
import { readBundleManifest } from '../lib/bundle/bundleManifest.ts';
import { type ResolvedModel, resolveModel } from '../lib/channels/resolveModel.ts';
import { type ChosenPartitions, choosePartitions } from '../lib/job/choosePartitions.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { inputPartition } from '../lib/job/readiness.ts';
import { modelIdentity, refuseOtherModel } from '../lib/publish/modelIdentity.ts';
import { below, planPath } from '../lib/publish/outputLayout.ts';
import { arrivalRun, type PartitionRun, partitionRuns, runSettingsOf } from '../lib/publish/partitionRun.ts';
import { refuseForeignPlan, refuseForeignPlanUri } from '../lib/publish/refusePlan.ts';
import { readRunPlan, runsOfPlan } from '../lib/publish/runPlan.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { parseS3Uri, type S3Location } from '../lib/storage/uri.ts';
import type { Settings } from './settings.ts';
import { logger } from './telemetry.ts';

const isoDate = z.iso.date();

/** What the state machine is started with: partitions to plan, a plan, or a partition that shards have landed in. */
export const startRequestSchema = z.union([
  z.strictObject({
    partitions: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('newest') }),
      z.strictObject({ kind: z.literal('one'), partition: z.string() }),
      z.strictObject({ kind: z.literal('dates'), from: isoDate, to: isoDate }),
    ]),
    /** Another model than the job's. */
    modelUri: z.string().optional(),
    liftHold: z.boolean().default(false),
  }),
  /** Below `plans/` of the stage's output root, where `run --state-machine` has put it. */
  z.strictObject({ planUri: z.string() }),
  z.strictObject({ arrival: z.looseObject({ partition: z.string() }) }),
]);
export type StartRequest = z.infer<typeof startRequestSchema>;
type ChoosingRequest = Extract<StartRequest, { partitions: unknown }>;

/** What a run's later steps read. */
export interface ChosenRun {
  /** A JSON array of partition runs, for a Distributed Map. */
  readonly items: S3Location;
  readonly partitionCount: number;
  readonly mapConcurrency: number;
}

/** Chooses what a run does, and writes its partitions below the output root. */
export async function chooseRun(
  request: StartRequest,
  { JOB, MAP_CONCURRENCY }: Settings,
): Promise<ChosenRun> {
  const runs =
    'planUri' in request
      ? await runsOfGivenPlan(request.planUri, JOB)
      : 'arrival' in request
        ? [await arrivalOf(request.arrival.partition, JOB)]
        : await runsOfChoice(request, JOB);
  const bytes = encodeJson(runs);
  const uri = below(JOB.scores, planPath(`${sha256(bytes)}.partitions`));
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { items: parseS3Uri(uri), partitionCount: runs.length, mapConcurrency: MAP_CONCURRENCY };
}

async function runsOfChoice(request: ChoosingRequest, job: JobDocument): Promise<PartitionRun[]> {
  const chosen = await choosePartitions(job, request.partitions, Date.now());
  logPassedOver(chosen);
  const model = await chosenModel(request.modelUri ?? job.model);
  return partitionRuns(runSettingsOf(job, model, request.liftHold), chosen.partitions);
}

function arrivalOf(partition: string, job: JobDocument): Promise<PartitionRun> {
  return arrivalRun(job, () => chosenModel(job.model), inputPartition(job.input, partition));
}

async function chosenModel(choice: JobDocument['model']): Promise<ResolvedModel> {
  const model = await resolveModel(choice);
  if (model.channel !== undefined) {
    logger.info('a channel chose the model', { ...model.channel, modelUri: model.uri });
  }
  return model;
}

/** Names in one record, whose size CloudWatch limits. */
const LOGGED = 100;

function logPassedOver({ skipped, missingDays }: ChosenPartitions): void {
  const warn = (message: string, key: string, names: readonly unknown[]) => {
    if (names.length > 0) logger.warn(message, { count: names.length, [key]: names.slice(0, LOGGED) });
  };
  warn('folders were passed over', 'skipped', skipped);
  warn('days without a partition', 'missingDays', missingDays);
}

/**
 * A plan that an operator has looked at. Whether its input still stands is asked partition by partition.
 * @throws ProblemsError PLAN_OTHER_STAGE; Ncs4cvrError PLAN_OTHER_MODEL
 */
async function runsOfGivenPlan(uri: string, { input, scores }: JobDocument): Promise<PartitionRun[]> {
  const stage = { inputUri: input, scoresUri: scores };
  refuseForeignPlanUri(uri, stage);
  const plan = await readRunPlan(uri);
  refuseForeignPlan(plan, uri, stage);
  const { modelUri, model } = plan;
  // Told once, and not by every unit.
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  refuseOtherModel(modelUri, modelIdentity({ manifest }), model);
  return runsOfPlan(plan);
}
