import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type BrokenShard, brokenShardSchema } from './brokenShard.ts';
import { leftOutRows } from './deadLetters.ts';
import { type ModelIdentity, modelIdentitySchema } from './modelIdentity.ts';
import { below, decodeOutputDocument, manifestPath, OUTPUT_FORMAT_VERSION } from './outputLayout.ts';
import type { Publication } from './pointer.ts';
import { type Receipt, receiptSchema } from './receipt.ts';

/** @internal exported for the reference of documents */
export const manifestSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  partition: z.string(),
  /** Of what was to be published: input versions, spans and model. The same work has the same id. */
  runId: z.string(),
  model: modelIdentitySchema,
  /** That readers find: those of the parts' files. */
  rows: z.int(),
  /** Of the input, that are in no file, see the parts' `deadLetters`. */
  deadLetteredRows: z.int(),
  /** In binary order of the inputs: together all rows of the partition, each once, but for dead letters and the rows of broken shards. */
  parts: z.array(receiptSchema.omit({ formatVersion: true, partition: true, model: true })).readonly(),
  /** Shards that aren't in any part, which the job has tolerated. */
  broken: z.array(brokenShardSchema).readonly(),
});
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;

/** The manifest of a partition. @param receipts of all its parts, in order */
export function manifestOf(
  partition: string,
  model: ModelIdentity,
  receipts: readonly Receipt[],
  broken: readonly BrokenShard[],
): Manifest {
  const parts = receipts.map(({ formatVersion, partition, model, ...part }) => part);
  return {
    formatVersion: OUTPUT_FORMAT_VERSION,
    partition,
    runId: sha256(encodeJson(parts.map(({ partId }) => partId))).slice(0, 16),
    model,
    rows: parts.reduce((sum, { scoredRows }) => sum + scoredRows, 0),
    deadLetteredRows: leftOutRows(parts).rows,
    parts,
    broken,
  };
}

/** A manifest's parts by their names, as their receipts tell of them. */
export function receiptsIn({ partition, model, parts }: Manifest): ReadonlyMap<string, Receipt> {
  const formatVersion = OUTPUT_FORMAT_VERSION;
  return new Map(parts.map((part) => [part.partId, { formatVersion, ...part, partition, model }]));
}

/** Writes a manifest under its digest, unless it is there. */
export async function writeManifest(
  root: string,
  manifest: Manifest,
): Promise<Pick<Publication, 'manifest' | 'sha256' | 'model' | 'rows'>> {
  const bytes = encodeJson(manifest);
  const digest = sha256(bytes);
  const path = manifestPath(manifest.partition, digest);
  const uri = below(root, path);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { manifest: path, sha256: digest, model: manifest.model, rows: manifest.rows };
}

/** @throws Ncs4cvrError PUBLISH_MANIFEST_DAMAGED when its bytes aren't those that were published */
export async function readManifest(
  root: string,
  { manifest, sha256: expected }: Pick<Publication, 'manifest' | 'sha256'>,
): Promise<Manifest> {
  const uri = below(root, manifest);
  const bytes = await storageFor(uri).readWhole(uri);
  const found = sha256(bytes);
  if (found === expected) return decodeOutputDocument(bytes, manifestSchema, 'manifest', uri);
  throw new Ncs4cvrError('PUBLISH_MANIFEST_DAMAGED', "the manifest isn't the one that was published", {
    file: uri,
    expected: `sha256 ${expected}`,
    found,
  });
}
