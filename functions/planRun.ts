import { z } from 'zod';
import { encodeJson } from '../lib/base/jsonDocument.ts';
import { readBundleManifest } from '../lib/bundle/bundleManifest.ts';
import { makeRunPlan } from '../lib/publish/makeRunPlan.ts';
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
import { selectPartitions } from '../lib/publish/selectPartitions.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { parseS3Uri, type S3Location } from '../lib/storage/uri.ts';
import type { Settings } from './settings.ts';
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
    /** Another model than the environment's. */
    modelUri: z.string().optional(),
    liftHold: z.boolean().default(false),
  }),
  /** Below `plans/` of the stage's output root, where `run --state-machine` has put it. */
  z.strictObject({ planUri: z.string() }),
]);
export type StartRequest = z.infer<typeof startRequestSchema>;

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
      ? await givenPlan(request.planUri, settings)
      : await makeRunPlan(
          {
            modelUri: request.modelUri ?? settings.MODEL_URI,
            root: settings.SCORES_URI,
            targetRows: settings.TARGET_ROWS,
            liftHold: request.liftHold,
          },
          await selectPartitions(settings.INPUT_URI, request.partitions),
        );
  annotate('model', plan.model.version);
  const { uri, sha256 } = await writeRunPlan(plan);
  const units = workUnits(plan);
  const write = async (kind: string, documents: readonly object[]) => {
    const target = planUri(settings.SCORES_URI, `${sha256}.${kind}`);
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

/**
 * A plan that an operator has looked at, if it still stands.
 * @throws ProblemsError PLAN_OTHER_STAGE, PLAN_STALE; Ncs4cvrError PLAN_OTHER_MODEL
 */
async function givenPlan(uri: string, { INPUT_URI, SCORES_URI }: Settings): Promise<RunPlan> {
  const stage = { inputUri: INPUT_URI, scoresUri: SCORES_URI };
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
