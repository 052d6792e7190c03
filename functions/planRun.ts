import { z } from 'zod';
import { encodeJson } from '../lib/base/jsonDocument.ts';
import { readBundleManifest } from '../lib/bundle/bundleManifest.ts';
import { resolveModel } from '../lib/channels/resolveModel.ts';
import { type ChosenPartitions, choosePartitions } from '../lib/job/choosePartitions.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { type MadePlan, makeRunPlan } from '../lib/publish/makeRunPlan.ts';
import { refuseOtherModel } from '../lib/publish/modelIdentity.ts';
import { planUri } from '../lib/publish/outputLayout.ts';
import { refuseForeignPlan, refuseForeignPlanUri, refuseStalePlan } from '../lib/publish/refusePlan.ts';
import {
  publishRequests,
  type RunPlan,
  readRunPlan,
  workUnits,
  writeRunPlan,
} from '../lib/publish/runPlan.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { parseS3Uri, type S3Location } from '../lib/storage/uri.ts';
import type { Settings } from './settings.ts';
import { logger } from './telemetry.ts';
import { annotate } from './traced.ts';

const isoDate = z.iso.date();

/** What the state machine is started with: partitions to plan, or a plan. */
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
]);
export type StartRequest = z.infer<typeof startRequestSchema>;
type ChoosingRequest = Exclude<StartRequest, { planUri: string }>;

/** What a run's later steps read. */
export interface PlannedRun {
  readonly planUri: string;
  /** A JSON array of work units, for a Distributed Map. */
  readonly units: S3Location;
  /** A JSON array of publish requests. */
  readonly publish: S3Location;
  readonly unitCount: number;
  readonly mapConcurrency: number;
  readonly partitionCount: number;
}

/** Plans a run, or takes its plan; writes plan, units and publish requests below the output root, named after the plan. */
export async function planRun(request: StartRequest, settings: Settings): Promise<PlannedRun> {
  const plan =
    'planUri' in request
      ? await givenPlan(request.planUri, settings.JOB)
      : await chooseAndPlan(request, settings.JOB);
  annotate('model', plan.model.version);
  const { uri, sha256 } = await writeRunPlan(plan);
  const units = workUnits(plan);
  const write = async (kind: string, documents: readonly object[]) => {
    const target = planUri(settings.JOB.scores, `${sha256}.${kind}`);
    await storageFor(target).createIfAbsent(target, encodeJson(documents));
    return parseS3Uri(target);
  };
  return {
    planUri: uri,
    units: await write('units', units),
    publish: await write('publish', publishRequests(plan)),
    unitCount: units.length,
    mapConcurrency: settings.MAP_CONCURRENCY,
    partitionCount: plan.partitions.length,
  };
}

async function chooseAndPlan(request: ChoosingRequest, job: JobDocument): Promise<RunPlan> {
  const { modelUri: given, liftHold } = request;
  const { uri: modelUri, channel } = await resolveModel(given ?? job.model);
  if (channel !== undefined) logger.info('a channel chose the model', { ...channel, modelUri });
  const chosen = await choosePartitions(job, request.partitions, Date.now());
  const settings = { modelUri, root: job.scores, targetRows: job.targetRows, liftHold };
  const { plan, ignored } = await makeRunPlan(settings, chosen.partitions);
  logPassedOver(chosen, ignored);
  return plan;
}

/** Names in one record, whose size CloudWatch limits. */
const LOGGED = 100;

function logPassedOver({ skipped, missingDays }: ChosenPartitions, ignored: MadePlan['ignored']): void {
  const warn = (message: string, key: string, names: readonly unknown[]) => {
    if (names.length > 0) logger.warn(message, { count: names.length, [key]: names.slice(0, LOGGED) });
  };
  warn('folders were passed over', 'skipped', skipped);
  warn('days without a partition', 'missingDays', missingDays);
  warn('files that are no shards were passed over', 'ignored', ignored);
}

/**
 * A plan that an operator has looked at, if it still stands.
 * @throws ProblemsError PLAN_OTHER_STAGE, PLAN_STALE; Ncs4cvrError PLAN_OTHER_MODEL
 */
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
