import { Ncs4cvrError } from '../base/errors.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { readReference } from '../bundle/readReference.ts';
import { judgePublication } from '../gates/judgePublication.ts';
import type { RunAudit } from '../gates/runAuditCommand.ts';
import { skipped, type Verdict, verdictOf } from '../gates/verdict.ts';
import { isLooking } from '../job/gateSettings.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { storageFor } from '../storage/openStorage.ts';
import { compareContent, countRepeatedKeys } from './comparePublications.ts';
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
  runAudit: RunAudit | undefined,
): Promise<Verdict[]> {
  const { root, partition, gates } = run;
  const { audit } = gates;
  const verdicts = isLooking(gates)
    ? await builtInVerdicts(run, manifest, below(root, written.manifest))
    : [];
  if (audit === undefined || audit.action === 'off') return verdicts;
  if (runAudit !== undefined) {
    const manifestUri = below(root, written.manifest);
    return [...verdicts, await runAudit(audit, { root, partition, manifestUri })];
  }
  const reason = 'the audit is a command, and commands run on the command line only';
  const unknown = { subject: '', found: Number.NaN, bound: 0, isWithin: false, against: '', reason };
  return [...verdicts, verdictOf('audit', audit.action, unknown)];
}

async function builtInVerdicts(run: PartitionRun, manifest: Manifest, file: string): Promise<Verdict[]> {
  const { root, earlier, gates } = run;
  const unread: Verdict[] = [];
  const read = async (name: PublicationName | undefined): Promise<Manifest | undefined> => {
    if (name === undefined) return undefined;
    const { partition, sha256 } = name;
    try {
      return await readManifest(root, { manifest: manifestPath(partition, sha256), sha256 });
    } catch (error) {
      // Another partition's manifest that is gone or damaged is no reason to keep this one from readers.
      if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
      unread.push(skipped('rows', '', partition, error.message));
      return undefined;
    }
  };
  const summaryOf = async (name: PublicationName | undefined) => {
    const found = await read(name);
    return found === undefined ? undefined : judgedOf(found);
  };
  const verdicts = judgePublication(
    {
      candidate: candidateOf(manifest, file),
      earlier: {
        own: await summaryOf(earlier.own),
        previous: await summaryOf(earlier.previous),
        weekday: await summaryOf(earlier.weekday),
      },
      reference: await referenceOf(run),
      repeatedKeys: await countRepeatedKeys(root, manifest, gates.repeatedKeys),
      repeatedContent: await compareContent(manifest, gates.repeatedContent, earlier.near, read),
    },
    gates,
  );
  return [...unread, ...verdicts];
}

async function referenceOf({ modelUri, model }: PartitionRun): Promise<ModelReference | undefined> {
  const storage = storageFor(modelUri);
  const bundle = await readBundleManifest(storage, modelUri);
  refuseOtherModel(modelUri, modelIdentity({ manifest: bundle }), model);
  return readReference(storage, modelUri, bundle);
}
