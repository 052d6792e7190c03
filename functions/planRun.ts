import { z } from 'zod';
import { readBundleManifest } from '../lib/model/readBundleManifest.ts';
import { encodeJson } from '../lib/publish/jsonDocument.ts';
import { modelIdentity } from '../lib/publish/modelIdentity.ts';
import { makeRunPlan, publishRequests } from '../lib/publish/runPlan.ts';
import { selectPartitions } from '../lib/publish/selectPartitions.ts';
import { workUnits } from '../lib/publish/workUnits.ts';
import { sha256 } from '../lib/sha256.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { parseS3Uri, type S3Location } from '../lib/storage/s3Uri.ts';
import { joinUri } from '../lib/storage/uri.ts';
import type { Settings } from './settings.ts';
import { annotate } from './traced.ts';

const isoDate = z.iso.date();

/** What the state machine is started with. */
export const runRequestSchema = z.strictObject({
  partitions: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('newest') }),
    z.strictObject({ kind: z.literal('one'), partition: z.string() }),
    z.strictObject({ kind: z.literal('dates'), from: isoDate, to: isoDate }),
  ]),
  /** Another model than the environment's. */
  modelUri: z.string().optional(),
  liftHold: z.boolean().default(false),
});
export type RunRequestEvent = z.infer<typeof runRequestSchema>;

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

/**
 * Plans a run and writes plan, units and publish requests below the output root, named after their content. The bundle
 * is taken as it stands: its digests are pinned from here on.
 */
export async function planRun(request: RunRequestEvent, settings: Settings): Promise<PlannedRun> {
  const { liftHold, modelUri = settings.MODEL_URI } = request;
  const { SCORES_URI: root, TARGET_ROWS: targetRows } = settings;
  const partitions = await selectPartitions(settings.INPUT_URI, request.partitions);
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  const model = modelIdentity({ manifest });
  annotate('model', model.version);
  const plan = await makeRunPlan({ modelUri, model, root, targetRows, liftHold }, partitions);
  const units = workUnits(plan);
  const id = sha256(encodeJson(plan));
  const write = async (name: string, document: object) => {
    const uri = joinUri(root, 'plans', `${id}${name}.json`);
    await storageFor(uri).createIfAbsent(uri, encodeJson(document));
    return uri;
  };
  return {
    planUri: await write('', plan),
    units: parseS3Uri(await write('.units', units)),
    publish: parseS3Uri(await write('.publish', publishRequests(plan))),
    unitCount: units.length,
    mapConcurrency: settings.MAP_CONCURRENCY,
    partitionCount: plan.partitions.length,
  };
}
