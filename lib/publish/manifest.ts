import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type ModelIdentity, modelIdentitySchema } from './modelIdentity.ts';
import { decodeOutputDocument, manifestUri } from './outputLayout.ts';
import type { Publication } from './pointer.ts';
import { type Receipt, receiptSchema } from './receipt.ts';

const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  partition: z.string(),
  /** Of what was to be published: input versions, spans and model. The same work has the same id. */
  runId: z.string(),
  model: modelIdentitySchema,
  rows: z.int(),
  /** In binary order of the inputs, spans in file order: together all rows of the partition, each once. */
  parts: z.array(receiptSchema.omit({ formatVersion: true, partition: true, model: true })).readonly(),
});
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;

/** The manifest of a whole partition. @param receipts of all its spans, in order */
export function manifestOf(partition: string, model: ModelIdentity, receipts: readonly Receipt[]): Manifest {
  const parts = receipts.map(({ formatVersion, partition, model, ...part }) => part);
  return {
    formatVersion: 1,
    partition,
    runId: sha256(encodeJson(parts.map(({ partId }) => partId))).slice(0, 16),
    model,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    parts,
  };
}

/** Writes a manifest under its digest, unless it is there. @param modelUri where its model's bundle is */
export async function writeManifest(
  root: string,
  manifest: Manifest,
  modelUri: string,
): Promise<Publication> {
  const bytes = encodeJson(manifest);
  const digest = sha256(bytes);
  const uri = manifestUri(root, manifest.partition, digest);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { manifest: uri, sha256: digest, model: manifest.model, modelUri, rows: manifest.rows };
}

/** @throws Ncs4cvrError PUBLISH_MANIFEST_DAMAGED when its bytes aren't those that were published */
export async function readManifest({ manifest: uri, sha256: expected }: Publication): Promise<Manifest> {
  const bytes = await storageFor(uri).readWhole(uri);
  const found = sha256(bytes);
  if (found === expected) return decodeOutputDocument(bytes, manifestSchema, 'manifest', uri);
  throw new Ncs4cvrError('PUBLISH_MANIFEST_DAMAGED', "the manifest isn't the one that was published", {
    file: uri,
    expected: `sha256 ${expected}`,
    found,
  });
}
