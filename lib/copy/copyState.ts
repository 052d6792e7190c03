import { z } from 'zod';
import { openPredictions } from '../arrow/readPredictions.ts';
import { SequentialFile } from '../arrow/sequentialFile.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { decodeJson, encodeJson, parseDocument } from '../base/jsonDocument.ts';
import type { Manifest } from '../publish/manifest.ts';
import { modelIdentitySchema } from '../publish/modelIdentity.ts';
import { below } from '../publish/outputLayout.ts';
import { resolvePartition } from '../publish/publishedState.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import { fileName, joinPath, joinUri } from '../storage/uri.ts';
import { ParquetCopy } from './parquetCopy.ts';

/** A partition of published scores as Parquet files in a folder. */
export interface StateCopy {
  readonly partition: string;
  /** `unchanged`: the folder was a complete copy of the same manifest already. */
  readonly outcome: 'copied' | 'unchanged';
  /** URI. */
  readonly folder: string;
  /** Names in the folder, in the order of the rows; one per part. */
  readonly files: readonly string[];
  /** SHA-256 of the manifest. */
  readonly manifest: string;
  readonly model: Manifest['model'];
  readonly rows: number;
}

/** Says what a folder is a copy of. Written first, if absent, so that of two states one gets the folder. Hidden from engines. */
const LABEL_NAME = '_ncs4cvr.json';
/** Written last; what engines and schedulers wait for. */
const SUCCESS_NAME = '_SUCCESS';

const labelSchema = z.strictObject({
  formatVersion: z.literal(1),
  partition: z.string(),
  /** SHA-256 of the manifest. */
  manifest: z.string(),
  model: modelIdentitySchema,
  rows: z.int(),
  files: z.array(z.string()).readonly(),
});
type Label = Readonly<z.infer<typeof labelSchema>>;

const OTHER_STATE = 'EXPORT_OTHER_STATE';

/**
 * Copies what readers see of a partition to Parquet: each part becomes a file of the same base name, with the same rows in the
 * same order, in a folder named like the partition. Every file is there whole or not at all, `_SUCCESS` is written last, and a
 * part is copied only if it has the bytes that were published. A call that was killed goes on where it was when it is repeated;
 * repeated after its end it changes nothing, unless the pointer has been flipped since.
 * Holds a piece of 64 MiB of one part and one row group.
 * @param outputUri folder of the partitions' folders
 * @param onRows told of how many rows were copied after each batch
 * @throws Ncs4cvrError PUBLISH_NOTHING, PUBLISH_MANIFEST_DAMAGED, PUBLISH_PART_DAMAGED; EXPORT_OTHER_STATE when the folder is a copy of
 * another manifest, complete or not; EXPORT_FOREIGN_FILES when it has files that aren't the copy's; StorageError
 */
export async function copyState(
  root: string,
  partition: string,
  outputUri: string,
  onRows: (rows: number) => void = () => undefined,
): Promise<StateCopy> {
  const { pointer, manifest } = await resolvePartition(root, partition);
  const folder = joinPath(outputUri, partition);
  const { sha256, model, rows } = pointer.current;
  const parts = manifest.parts.map(({ path, ...part }) => {
    return { uri: below(root, path), name: parquetName(path), sha256: part.sha256 };
  });
  const files = parts.map(({ name }) => name);
  const copy = { partition, manifest: sha256, model, rows, files };
  const there = await claimFolder(folder, { formatVersion: 1, ...copy });
  const missing = parts.filter(({ name }) => !there.has(name));
  const successUri = joinUri(folder, SUCCESS_NAME);
  const storage = storageFor(successUri);
  if (missing.length === 0 && (await storage.stat(successUri)) !== undefined) {
    return { ...copy, folder, outcome: 'unchanged' };
  }
  const metadata = { 'ncs4cvr.partition': partition, 'ncs4cvr.manifest_sha256': sha256 };
  for (const part of missing) await copyPart(part, joinUri(folder, part.name), metadata, onRows);
  await storage.createIfAbsent(successUri, new Uint8Array(0));
  return { ...copy, folder, outcome: 'copied' };
}

/** @param path of a part */
function parquetName(path: string): string {
  return fileName(path).replace(/\.arrow$/, '.parquet');
}

/**
 * Takes a folder for a state, unless it is taken for another one.
 * @returns the names of the files that it has already
 */
async function claimFolder(folder: string, wanted: Label): Promise<ReadonlySet<string>> {
  const uri = joinUri(folder, LABEL_NAME);
  const storage = storageFor(uri);
  const found = await storage.readVersioned(uri);
  if (found !== undefined) refuseOtherState(folder, found.bytes, wanted);
  const names = (await listIfAny(folder)).map(({ relativePath }) => relativePath);
  const foreign = names.filter((name) => !wanted.files.includes(name));
  if (foreign.length > 0) {
    throw new Ncs4cvrError(
      'EXPORT_FOREIGN_FILES',
      'the folder has files whose rows would be read with the copy',
      {
        file: folder,
        expected: 'an empty folder, or none',
        found: `${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ` and ${foreign.length - 3} more` : ''}`,
      },
    );
  }
  if (found === undefined && (await storage.createIfAbsent(uri, encodeJson(wanted))) === undefined) {
    // Somebody else was faster, with this state or another one.
    refuseOtherState(folder, await storage.readWhole(uri), wanted);
  }
  return new Set(names);
}

function refuseOtherState(folder: string, bytes: Uint8Array, { manifest }: Label): void {
  const file = joinUri(folder, LABEL_NAME);
  const summary = "this isn't what a copy of published scores is labelled with";
  const document = decodeJson(bytes, { code: OTHER_STATE, file });
  const label = parseDocument(document, labelSchema, { code: OTHER_STATE, summary, file });
  if (label.manifest === manifest) return;
  throw new Ncs4cvrError(OTHER_STATE, 'the folder is a copy of another state of the partition', {
    file: folder,
    expected: `manifest ${manifest}`,
    found: `${label.manifest} (${label.model.version})`,
  });
}

async function copyPart(
  { uri: partUri, sha256 }: { readonly uri: string; readonly sha256: string },
  uri: string,
  metadata: Readonly<Record<string, string>>,
  onRows: (rows: number) => void,
): Promise<void> {
  const part = new SequentialFile(await storageFor(partUri).open(partUri));
  try {
    const { schema, batches } = await openPredictions(part);
    const file = await storageFor(uri).createAtomic(uri, { ifAbsent: true });
    try {
      const copy = new ParquetCopy(file, schema, metadata);
      for await (const batch of batches) {
        await copy.write(batch);
        onRows(batch.numRows);
      }
      await copy.finish();
      const found = await part.digest();
      if (found !== sha256) {
        throw new Ncs4cvrError('PUBLISH_PART_DAMAGED', "a part isn't what was published", {
          file: partUri,
          expected: `sha256 ${sha256}`,
          found,
        });
      }
      await file.commit();
    } catch (error) {
      await file.abort();
      throw error;
    }
  } finally {
    await part.close();
  }
}
