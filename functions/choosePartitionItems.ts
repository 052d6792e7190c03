import type { ArrivalInput } from '../lib/arrivals/arrivalRun.ts';
import { readBundleManifest } from '../lib/bundle/bundleManifest.ts';
import { type ResolvedModel, resolveModel } from '../lib/channels/resolveModel.ts';
import { refuseLargeModel } from '../lib/estimate/modelMemory.ts';
import { type ChoiceRemarks, choosePartitions, NO_REMARKS } from '../lib/job/choosePartitions.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { folderPartition, refuseArrivalsOfList } from '../lib/job/jobInput.ts';
import { modelIdentity, refuseOtherModel } from '../lib/publish/modelIdentity.ts';
import { arrivalRun, type PartitionRun, partitionRuns, runSettingsOf } from '../lib/publish/partitionRun.ts';
import { refuseForeignPlan, refuseForeignPlanUri } from '../lib/publish/refusePlan.ts';
import { readRunPlan, runsOfPlan } from '../lib/publish/runPlan.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import type { StartRequest } from './startRequest.ts';
import { logger } from './telemetry.ts';

type ChoosingRequest = Exclude<StartRequest, { planUri: string } | ArrivalInput>;

export interface ChosenItems {
  /** One for each partition; never empty. */
  readonly items: readonly PartitionRun[];
  readonly remarks: ChoiceRemarks;
}

/**
 * The partitions that a run takes, each with the model that it is scored with; the bundle's digests are pinned from here on.
 * @throws Ncs4cvrError PLAN_NO_PARTITION, PLAN_OTHER_MODEL, PLAN_MODEL_TOO_LARGE; ProblemsError PLAN_OTHER_STAGE
 */
export async function choosePartitionItems(
  job: JobDocument,
  request: StartRequest,
  nowMillis: number,
): Promise<ChosenItems> {
  if ('planUri' in request) {
    return { items: await itemsOfPlan(request.planUri, job), remarks: NO_REMARKS };
  }
  if ('arrival' in request) {
    refuseArrivalsOfList(job);
    const input = folderPartition(job.input, request.arrival.partition);
    const item = await arrivalRun(job, () => chosenModel(job.model, job), input);
    return { items: [item], remarks: NO_REMARKS };
  }
  return chooseItems(job, request, nowMillis);
}

async function chooseItems(
  job: JobDocument,
  { partitions, modelUri, liftHold }: ChoosingRequest,
  nowMillis: number,
): Promise<ChosenItems> {
  const chosen = await choosePartitions(job, partitions, nowMillis);
  const settings = runSettingsOf(job, await chosenModel(modelUri ?? job.model, job), liftHold);
  return { items: await partitionRuns(settings, chosen.partitions, job.layout), remarks: chosen };
}

async function chosenModel(
  choice: JobDocument['model'],
  { memoryMegabytes }: JobDocument,
): Promise<ResolvedModel> {
  const model = await resolveModel(choice);
  if (memoryMegabytes !== undefined) {
    const { files } = await readBundleManifest(storageFor(model.uri), model.uri);
    refuseLargeModel(model.uri, files, memoryMegabytes);
  }
  if (model.channel !== undefined) {
    logger.info('a channel chose the model', { ...model.channel, modelUri: model.uri });
  }
  return model;
}

/** Of a plan that an operator has looked at. Whether its input still stands is asked when a partition is planned. */
async function itemsOfPlan(uri: string, { input, scores }: JobDocument): Promise<PartitionRun[]> {
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
