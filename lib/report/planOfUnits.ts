import { z } from 'zod';
import { decodeDocument, parseDocument } from '../base/jsonDocument.ts';
import type { UnreadableFiles } from '../base/unreadableFiles.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { requestsToLoad } from '../bundle/loadBundle.ts';
import type { Manifest } from '../publish/manifest.ts';
import type { Part } from '../publish/part.ts';
import { type PartitionRun, PLAN_FORMAT_VERSION, partitionRunSchema } from '../publish/partitionRun.ts';
import { planWith, type RunPlan } from '../publish/runPlan.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import type { MappedRun } from './mapResults.ts';

/** What is needed to say what a run of the state machine for one partition was to take. */
export interface PlanOfUnits {
  /** Of the partition alone: what its units were asked for is open, the rest of what is published was done. */
  readonly plan: RunPlan;
  /** Requests that load the model's bundle. */
  readonly bundleGets: number;
}

/** As much of the steps that a run's map over partitions reads (functions/partitionStep.ts). */
const stepsSchema = z.array(z.object({ item: z.looseObject({ partition: z.string() }) }));

/**
 * Puts the plan of a run by the state machine together again, from what it has left: two documents are read, however many parts
 * there are.
 * @param manifest of what is reported on
 * @param unreadable takes those that are there and can't be read
 * @returns undefined where the run's settings, the bundle, or the spans of a part are gone
 */
export async function planOfUnits(
  root: string,
  partition: string,
  { name, parts }: MappedRun,
  manifest: Manifest | undefined,
  unreadable: UnreadableFiles,
): Promise<PlanOfUnits | undefined> {
  const run = await unreadable.attempt(() => runOf(root, partition, name));
  if (run === undefined) return undefined;
  const published = new Map(manifest?.parts.map((part) => [part.partId, part]));
  const open = parts.flatMap(({ partId, rows, spans = published.get(partId)?.spans }): Part[] =>
    spans === undefined ? [] : [{ partId, rows, spans }],
  );
  if (open.length < parts.length) return undefined;
  const bundleGets = await unreadable.attempt(async () => {
    const { files } = await readBundleManifest(storageFor(run.modelUri), run.modelUri);
    return requestsToLoad(files);
  });
  if (bundleGets === undefined) return undefined;
  const isOpen = new Set(open.map(({ partId }) => partId));
  const done = [...published.values()].filter(({ partId }) => !isOpen.has(partId));
  const all = [...open, ...done].sort(byInput);
  const sizes = new Map(
    all.flatMap(({ spans }) => spans.map(({ shard, sizeBytes }) => [shard, sizeBytes] as const)),
  );
  const { inputUri, basedOnGeneration, earlier, fileList: _, partsDigest: __, ...settings } = run;
  return {
    bundleGets,
    plan: planWith(settings, [
      {
        ...{ partition, inputUri, basedOnGeneration, earlier, broken: [] },
        shardCount: sizes.size,
        sizeBytes: [...sizes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0),
        parts: all,
        done: [...all.keys()].filter((place) => !isOpen.has(all[place]!.partId)),
      },
    ]),
  };
}

async function runOf(root: string, partition: string, name: string): Promise<PartitionRun | undefined> {
  const uri = joinUri(root, 'runs', name, 'partitions.json');
  const code = 'PUBLISH_DOCUMENT_INVALID';
  const summary = "this isn't the list of a run's partitions; another program may have changed it";
  const as = { code, summary, file: uri };
  const steps = decodeDocument(await storageFor(uri).readWhole(uri), stepsSchema, as);
  const item = steps.find((each) => each.item.partition === partition)?.item;
  // What another version has asked for is no plan of this one.
  if (item === undefined || item.formatVersion !== PLAN_FORMAT_VERSION) return undefined;
  return parseDocument(item, partitionRunSchema, { ...as, path: partition });
}

/** Parts in the order of the input, as they were cut. */
function byInput({ spans: [a] }: Part, { spans: [b] }: Part): number {
  if (a!.shard === b!.shard) return a!.firstRowGroup - b!.firstRowGroup;
  return Buffer.compare(Buffer.from(a!.shard), Buffer.from(b!.shard));
}
