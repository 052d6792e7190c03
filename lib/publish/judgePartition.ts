import { Ncs4cvrError } from '../base/errors.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { readReference } from '../bundle/readReference.ts';
import type { Candidate } from '../gates/judged.ts';
import type { SpanElsewhere } from '../gates/judgeKeys.ts';
import { judgePublication, type RepeatedContent } from '../gates/judgePublication.ts';
import { type Auditors, ownVerdict } from '../gates/ownAudit.ts';
import { type GateName, skipped, type Verdict } from '../gates/verdict.ts';
import { isLooking } from '../job/gateSettings.ts';
import type { InputPartition } from '../job/jobInput.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { storageFor } from '../storage/openStorage.ts';
import { sharedFiles, sharedKeys, unpublishedDay } from './compareInputs.ts';
import { type CompareWith, compareContent, countRepeatedKeys } from './comparePublications.ts';
import type { PublicationName } from './earlierPublications.ts';
import { candidateOf, judgedOf } from './judged.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { modelIdentity, refuseOtherModel } from './modelIdentity.ts';
import { below, manifestPath } from './outputLayout.ts';
import type { PartitionRun } from './partitionRun.ts';
import type { Publication } from './pointer.ts';

/**
 * Every gate's verdict on a manifest that was written and that nobody sees yet. Reads what the run was planned to compare it
 * with, and the model's reference; nothing where all gates are off.
 * @throws Ncs4cvrError PLAN_OTHER_MODEL, BUNDLE_CORRUPT, BUNDLE_REFERENCE_INVALID, PUBLISH_DOCUMENT_INVALID
 */
export async function judgePartition(
  run: PartitionRun,
  manifest: Manifest,
  written: Pick<Publication, 'manifest'>,
  auditors: Auditors,
): Promise<Verdict[]> {
  const { root, partition, gates } = run;
  const { audit } = gates;
  const manifestUri = below(root, written.manifest);
  const verdicts = isLooking(gates) ? await builtInVerdicts(run, manifest, manifestUri) : [];
  if (audit === undefined || audit.action === 'off') return verdicts;
  return [...verdicts, await ownVerdict(audit, { root, partition, manifestUri }, auditors)];
}

/** How other partitions are read. */
interface Others {
  readonly compareWith: CompareWith;
  readonly ifReadable: <T>(
    gate: GateName,
    partition: string,
    look: () => Promise<T>,
  ) => Promise<T | undefined>;
  /** Of what could not be read. */
  readonly unread: Verdict[];
}

async function builtInVerdicts(run: PartitionRun, manifest: Manifest, file: string): Promise<Verdict[]> {
  const { root, earlier, gates } = run;
  const unread: Verdict[] = [];
  /** Another partition's manifest or input that is gone or damaged is no reason to keep this one from readers. */
  const ifReadable: Others['ifReadable'] = async (gate, partition, look) => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
      unread.push(skipped(gate, '', partition, error.message));
      return undefined;
    }
  };
  const read = async ({ partition, sha256 }: PublicationName) => {
    const written = { manifest: manifestPath(partition, sha256), sha256 };
    return { found: await readManifest(root, written), file: below(root, written.manifest) };
  };
  const summaryOf = async (name: PublicationName | undefined) =>
    name === undefined
      ? undefined
      : ifReadable('rows', name.partition, async () => {
          const { found, file } = await read(name);
          // Only parts of days are held to the features of others.
          const isAsked = earlier.isPartOfDay === true && found.parts.length > 0;
          return isAsked ? candidateOf(found, file) : judgedOf(found);
        });
  const compareWith: CompareWith = (name, compare) =>
    ifReadable('repeatedContent', name.partition, async () => {
      const other = await read(name);
      return compare(other.found, other.file);
    });
  const isAlone = earlier.previous === undefined && gates.rows.action !== 'off';
  /** A day that is as broken as this one, or gone, is no yardstick: the one before it may be. */
  const nearestWhole = async (days: readonly InputPartition[]) => {
    for (const other of days) {
      const found = await ifReadable('rows', other.partition, () => unpublishedDay(run, other));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const candidate = candidateOf(manifest, file);
  const content = await repeatedContent(run, { manifest, candidate }, { compareWith, ifReadable, unread });
  const verdicts = judgePublication(
    {
      candidate,
      earlier: {
        own: await summaryOf(earlier.own),
        previous: await summaryOf(earlier.previous),
        weekday: await summaryOf(earlier.weekday),
        isWholeDay: earlier.isWholeDay,
        isPartOfDay: earlier.isPartOfDay,
        unpublished: await nearestWhole(isAlone ? (earlier.unpublished ?? []) : []),
      },
      reference: await referenceOf(run),
      repeatedKeys: await countRepeatedKeys(root, manifest, gates.repeatedKeys),
      repeatedContent: content,
    },
    gates,
  );
  return [...unread, ...verdicts];
}

/** Rows and files of the partition that other dates have, or hours and regions beside it, published or in the same run. */
async function repeatedContent(
  run: PartitionRun,
  { manifest, candidate }: { readonly manifest: Manifest; readonly candidate: Candidate },
  { compareWith, ifReadable, unread }: Others,
): Promise<RepeatedContent> {
  const { earlier, gates } = run;
  const unpublished: string[] = [];
  const files: SpanElsewhere[] = [];
  const inputKeys: SpanElsewhere[] = [];
  const { action, sameKeys } = gates.repeatedContent;
  for (const other of action === 'off' ? [] : (earlier.unpublished ?? [])) {
    const { partition } = other;
    const compare = async () => {
      const inFiles = await sharedFiles(run, manifest, other);
      const isAsked = inFiles.length === 0 && sameKeys !== 'off';
      return { inFiles, byKeys: isAsked ? await sharedKeys(run, manifest, other) : [] };
    };
    const found = await ifReadable('repeatedContent', partition, compare);
    if (found === undefined) continue;
    unpublished.push(partition);
    files.push(...found.inFiles);
    inputKeys.push(...(found.byKeys ?? []));
    if (found.byKeys === undefined) {
      const reason = 'it has as many rows, too many to read their keys';
      unread.push(skipped('repeatedContent', 'inputKeys', partition, reason));
    }
  }
  const { published: besidePublished = [], inputs = [] } = earlier.beside ?? {};
  const besideRows =
    sameKeys === 'off'
      ? []
      : (await compareContent({ manifest }, gates.repeatedContent, besidePublished, compareWith)).rows;
  const besideFiles: SpanElsewhere[] = [];
  for (const other of action === 'off' || sameKeys === 'off' ? [] : inputs) {
    const found = await ifReadable('repeatedContent', other.partition, () =>
      sharedFiles(run, manifest, other),
    );
    besideFiles.push(...(found ?? []));
  }
  const itself = { manifest, candidate };
  let published = await compareContent(itself, gates.repeatedContent, earlier.near, compareWith);
  // Seldom, so that what the partition shows is read for it alone.
  if (published.rows.length > 0 && earlier.own !== undefined) {
    const own = await compareWith(earlier.own, (visible) => visible);
    const readable = earlier.near.filter(({ partition }) => published.compared.includes(partition));
    published = await compareContent({ ...itself, own }, gates.repeatedContent, readable, compareWith);
  }
  return { ...published, unpublished, files, inputKeys, besideRows, besideFiles };
}

async function referenceOf({ modelUri, model }: PartitionRun): Promise<ModelReference | undefined> {
  const storage = storageFor(modelUri);
  const bundle = await readBundleManifest(storage, modelUri);
  refuseOtherModel(modelUri, modelIdentity({ manifest: bundle }), model);
  return readReference(storage, modelUri, bundle);
}
