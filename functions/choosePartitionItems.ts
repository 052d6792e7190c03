import type { ArrivalInput } from '../lib/arrivals/arrivalRun.ts';
import { readBundleManifest } from '../lib/bundle/bundleManifest.ts';
import { type ChosenPartitions, choosePartitions, inputPartition } from '../lib/job/choosePartitions.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { makeArrivalPlan } from '../lib/publish/makeRunPlan.ts';
import { modelIdentity, refuseOtherModel } from '../lib/publish/modelIdentity.ts';
import { refuseForeignPlan, refuseForeignPlanUri, refuseStalePlan } from '../lib/publish/refusePlan.ts';
import { PLAN_FORMAT_VERSION, publishRequests, type RunPlan, readRunPlan } from '../lib/publish/runPlan.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import type { PartitionItem } from './partitionRun.ts';
import type { StartRequest } from './startRequest.ts';

type ChoosingRequest = Exclude<StartRequest, { planUri: string } | ArrivalInput>;

export interface ChosenItems {
  /** One for each partition; never empty. */
  readonly items: readonly PartitionItem[];
  /** What the choice has passed over. */
  readonly passedOver: Pick<ChosenPartitions, 'skipped' | 'missingDays'>;
}

/**
 * The partitions that a run takes, each with the model that it is scored with; the bundle's digests are pinned from here on.
 * @throws Ncs4cvrError PLAN_NO_PARTITION, PLAN_OTHER_MODEL; ProblemsError PLAN_OTHER_STAGE, PLAN_STALE
 */
export async function choosePartitionItems(
  job: JobDocument,
  request: StartRequest,
  nowMillis: number,
): Promise<ChosenItems> {
  if (!('planUri' in request) && !('arrival' in request)) return chooseItems(job, request, nowMillis);
  const plan =
    'planUri' in request
      ? await givenPlan(request.planUri, job)
      : await arrivalPlan(job, request.arrival.partition);
  return { items: publishRequests(plan), passedOver: { skipped: [], missingDays: [] } };
}

async function chooseItems(
  job: JobDocument,
  { partitions, modelUri = job.model, liftHold }: ChoosingRequest,
  nowMillis: number,
): Promise<ChosenItems> {
  const chosen = await choosePartitions(job, partitions, nowMillis);
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  const { scores: root, targetRows } = job;
  const settings = { modelUri, model: modelIdentity({ manifest }), root, targetRows, liftHold };
  const items = chosen.partitions.map(
    (input): PartitionItem => ({ formatVersion: PLAN_FORMAT_VERSION, ...settings, ...input }),
  );
  return { items, passedOver: chosen };
}

/** What landed is scored with the model that its partition shows. */
async function arrivalPlan(job: JobDocument, partition: string): Promise<RunPlan> {
  const options = { firstModelUri: job.model, root: job.scores, targetRows: job.targetRows };
  return (await makeArrivalPlan(options, inputPartition(job.input, partition))).plan;
}

/** A plan that an operator has looked at, if it still stands. */
async function givenPlan(uri: string, { input, scores }: JobDocument): Promise<RunPlan> {
  const stage = { inputUri: input, scoresUri: scores };
  refuseForeignPlanUri(uri, stage);
  const plan = await readRunPlan(uri);
  refuseForeignPlan(plan, uri, stage);
  const { modelUri, model } = plan;
  // Told once, and not by every unit.
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  refuseOtherModel({ uri: modelUri, manifest }, model);
  await refuseStalePlan(plan, uri);
  return plan;
}
