import { Field, Float32, makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { VocabularyFiles } from '../features/vocabulary.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinPath, joinUri } from '../storage/uri.ts';
import {
  type BundleManifest,
  GOLDEN_FILE,
  isBundle,
  MANIFEST_FILE,
  MODEL_FILE,
  REFERENCE_FILE,
} from './bundleManifest.ts';
import type { Scores } from './scoringSession.ts';

/** Everything a bundle says about itself but what follows from its files. */
export type ManifestDraft = Omit<BundleManifest, 'files' | 'modelVersion' | 'formatVersion'> & {
  readonly modelVersion: string | undefined;
};

/**
 * Writes a bundle: the model, its golden rows and its reference first, the manifest last, so that a half-written bundle
 * can't be loaded.
 * @returns the model version
 * @throws Ncs4cvrError BUNDLE_EXISTS: a bundle is never changed
 */
export async function writeBundle(
  uri: string,
  draft: ManifestDraft,
  modelBytes: Uint8Array,
  goldenBytes: Uint8Array,
  vocabularies: VocabularyFiles,
  reference?: ModelReference,
): Promise<string> {
  await refuseExisting(uri);
  const model = describeFile(modelBytes);
  const referenceBytes = reference && encodeJson(reference);
  const manifest: BundleManifest = {
    formatVersion: 1,
    ...draft,
    modelVersion:
      draft.modelVersion ?? `${draft.training.finishedAt.slice(0, 10)}-${model.sha256.slice(0, 8)}`,
    files: {
      [MODEL_FILE]: model,
      [GOLDEN_FILE]: describeFile(goldenBytes),
      ...Object.fromEntries([...vocabularies].map(([path, bytes]) => [path, describeFile(bytes)])),
      ...(referenceBytes && { [REFERENCE_FILE]: describeFile(referenceBytes) }),
    },
  };
  await writeWhole(joinUri(uri, MODEL_FILE), modelBytes);
  await writeWhole(joinUri(uri, GOLDEN_FILE), goldenBytes);
  for (const [path, bytes] of vocabularies) await writeWhole(joinPath(uri, path), bytes);
  if (referenceBytes !== undefined) await writeWhole(joinUri(uri, REFERENCE_FILE), referenceBytes);
  await writeWhole(joinUri(uri, MANIFEST_FILE), new TextEncoder().encode(JSON.stringify(manifest, null, 1)));
  return manifest.modelVersion;
}

/** @throws Ncs4cvrError BUNDLE_EXISTS */
export async function refuseExisting(uri: string): Promise<void> {
  if (!(await isBundle(storageFor(uri), uri))) return;
  const file = joinUri(uri, MANIFEST_FILE);
  throw new Ncs4cvrError('BUNDLE_EXISTS', 'a bundle is never overwritten; give another folder', { file });
}

/**
 * Starts a file of the bundle and takes it away again: a wrong path or a missing right is told before the training.
 * @throws StorageError
 */
export async function refuseUnwritable(uri: string): Promise<void> {
  await (await storageFor(uri).createAtomic(joinUri(uri, MANIFEST_FILE))).abort();
}

/** Arrow IPC of raw rows and the scores the trainer gave them, as checkGoldenRows reads it. */
export function encodeGoldenRows(
  rows: RecordBatch,
  { pctr, pcvr }: Pick<Scores, 'pctr' | 'pcvr'>,
): Uint8Array {
  const pctcvr = pctr.map((p, row) => p * pcvr[row]!);
  const scores = [pctr, pcvr, pctcvr].map((data) => makeData({ type: new Float32(), data }));
  const taken = new Set(rows.schema.fields.map(({ name }) => name));
  const freeName = (name: string): string => (taken.has(name) ? freeName(`_${name}`) : name);
  const schema = new Schema([
    ...rows.schema.fields,
    ...SCORE_NAMES.map((name) => new Field(freeName(name), new Float32(), false)),
  ]);
  const data = makeData({
    type: new Struct(schema.fields),
    length: rows.numRows,
    nullCount: 0,
    children: [...rows.data.children, ...scores],
  });
  return tableToIPC(new Table([new RecordBatch(schema, data)]), 'file');
}

function describeFile(bytes: Uint8Array): { sizeBytes: number; sha256: string } {
  return { sizeBytes: bytes.length, sha256: sha256(bytes) };
}
