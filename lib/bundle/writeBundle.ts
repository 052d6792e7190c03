import { Field, Float32, makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow';
import { Ncs4cvrError, StorageError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { VocabularyFiles } from '../features/vocabulary.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { withoutNewFolders } from '../storage/diskFolder.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinPath, joinUri } from '../storage/uri.ts';
import { piecesOf, writePieces } from './bundleFiles.ts';
import {
  BUNDLE_FORMAT_VERSION,
  type BundleManifest,
  GOLDEN_FILE,
  isBundle,
  MANIFEST_FILE,
  MODEL_FILE,
  REFERENCE_FILE,
} from './bundleManifest.ts';
import { embeddingFile, tablePieces } from './embeddingTable.ts';
import type { Scores, ScoringModel } from './scoringSession.ts';

/** Everything a bundle says about itself but what follows from its files. */
export type ManifestDraft = Omit<BundleManifest, 'files' | 'modelVersion' | 'formatVersion'> & {
  readonly modelVersion: string | undefined;
};

/** What a bundle holds beside its manifest. */
export interface BundleContent {
  readonly model: Pick<ScoringModel, 'modelBytes' | 'tables'>;
  readonly vocabularies: VocabularyFiles;
  readonly goldenBytes: Uint8Array;
  /** Absent from a bundle that no gate can compare a night with. */
  readonly reference?: ModelReference | undefined;
}

/**
 * Writes a bundle: the model, its golden rows and its reference first, the manifest last, so that a half-written bundle
 * can't be loaded. Vocabularies and tables are written piece by piece from where they are.
 * @returns the model version
 * @throws Ncs4cvrError BUNDLE_EXISTS: a bundle is never changed
 */
export async function writeBundle(
  uri: string,
  draft: ManifestDraft,
  { model, vocabularies, goldenBytes, reference }: BundleContent,
): Promise<string> {
  await refuseExisting(uri);
  const write = (path: string, pieces: Iterable<Uint8Array>) => writePieces(joinPath(uri, path), pieces);
  const modelFacts = await write(MODEL_FILE, [model.modelBytes]);
  const files: BundleManifest['files'] = {
    [MODEL_FILE]: modelFacts,
    [GOLDEN_FILE]: await write(GOLDEN_FILE, [goldenBytes]),
  };
  if (reference !== undefined) files[REFERENCE_FILE] = await write(REFERENCE_FILE, [encodeJson(reference)]);
  for (const [path, bytes] of vocabularies) files[path] = await write(path, piecesOf(bytes));
  for (const table of model.tables) {
    const path = embeddingFile(table.name);
    files[path] = await write(path, tablePieces(table));
  }
  const manifest: BundleManifest = {
    formatVersion: BUNDLE_FORMAT_VERSION,
    ...draft,
    modelVersion:
      draft.modelVersion ?? `${draft.training.finishedAt.slice(0, 10)}-${modelFacts.sha256.slice(0, 8)}`,
    files,
  };
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
 * Starts a file of the bundle and takes it away again, and the folder with it: a wrong path or a missing right is told before the
 * training, and one that fails early leaves nothing.
 * @throws StorageError
 */
export async function refuseUnwritable(uri: string): Promise<void> {
  try {
    await withoutNewFolders(uri, async () => {
      await (await storageFor(uri).createAtomic(joinUri(uri, MANIFEST_FILE))).abort();
    });
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    // Of the folder, which is what was asked for: the file is one of many.
    const { code, expected, found, retryable } = error;
    const details = {
      ...{ file: uri, retryable, cause: error },
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    };
    throw new StorageError(code, "this folder can't be made or written to", details);
  }
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
  const scoreFields = SCORE_NAMES.map((name) => new Field(freeName(name), new Float32(), false));
  const schema = new Schema([...rows.schema.fields, ...scoreFields], rows.schema.metadata);
  const data = makeData({
    type: new Struct(schema.fields),
    length: rows.numRows,
    nullCount: 0,
    children: [...rows.data.children, ...scores],
  });
  return tableToIPC(new Table([new RecordBatch(schema, data)]), 'file');
}
