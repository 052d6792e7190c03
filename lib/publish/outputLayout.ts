import type { z } from 'zod';
import { Ncs4cvrError } from '../base/errors.ts';
import { decodeJson, isRecord, parseDocument } from '../base/jsonDocument.ts';
import { joinPath } from '../storage/uri.ts';

/**
 * Of pointers, manifests, receipts and what stands beside them. 1 named absolute URIs, and one shard per part; 2 had receipts
 * without profiles, 3 without worst spans.
 */
export const OUTPUT_FORMAT_VERSION = 4;
const OUTDATED_VERSIONS: readonly unknown[] = [1, 2, 3];

// Where things are below an output root (docs/publish-protocol.md), as paths. A partition is a path such as `dt=2022-05-06`.
export const partFolder = (partition: string): string => `parts/${partition}`;
export const partPath = (partition: string, partId: string): string =>
  `${partFolder(partition)}/${partId}.arrow`;
/** The part's length is in the name: a listing tells what is done. */
export const receiptPath = (partition: string, partId: string, sizeBytes: number): string =>
  `receipts/${partition}/${partId}-${sizeBytes}.json`;
/** Of a part's row keys, see PartKeys. */
export const fingerprintsPath = (partition: string, partId: string): string =>
  `keys/${partition}/${partId}.bin`;
/** Rows of a part that aren't scored, see DeadLetters. */
export const deadLettersPath = (partition: string, partId: string): string =>
  `dead-letters/${partition}/${partId}.parquet`;
/** Rows of a part that took more than one call, see scorePart: `X.arrow`, and in `X.json` their profile and dead letters. */
export const segmentFolder = (partition: string, partId: string): string => `segments/${partition}/${partId}`;
export const manifestPath = (partition: string, digest: string): string =>
  `manifests/${partition}/${digest}.json`;
export const auditPath = (partition: string, digest: string): string => `audits/${partition}/${digest}.json`;
export const blockedPath = (partition: string): string => `blocked/${partition}.json`;
export const pointerPath = (partition: string): string => `pointers/${partition}.json`;
export const shapesPath = (partition: string): string => `shapes/${partition}.json`;
export const brokenShardPath = (partition: string, id: string): string => `broken/${partition}/${id}.json`;
/** @param name begins with the time at which the run began */
export const runRecordPath = (name: string): string => `run-records/${name}.json`;
/** @param name a digest, with a word for what it is of */
export const planPath = (name: string): string => `plans/${name}.json`;

/**
 * Of an output root: roots of shadow runs. Hidden, so that neither this project's listings nor those of engines look into it.
 */
export const SHADOW_FOLDER = '_shadow';

/** Whether a root lies where shadow runs put theirs by default: no reader sees what it shows. */
export function isShadowRoot(root: string): boolean {
  return root.split('/').includes(SHADOW_FOLDER);
}

/** The URI of a path below an output root. */
export function below(root: string, path: string): string {
  return joinPath(root, path);
}

/**
 * Reads a document from below an output root.
 * @param kind what it should be, such as `manifest`, for the error
 * @throws Ncs4cvrError PUBLISH_ROOT_OUTDATED for a document of an earlier format, PUBLISH_ROOT_NEWER of a later one; PUBLISH_DOCUMENT_INVALID naming every problem
 */
export function decodeOutputDocument<Schema extends z.ZodType>(
  bytes: Uint8Array,
  schema: Schema,
  kind: string,
  uri: string,
): z.infer<Schema> {
  const code = 'PUBLISH_DOCUMENT_INVALID';
  const document = decodeJson(bytes, { code, file: uri });
  if (isRecord(document) && OUTDATED_VERSIONS.includes(document.formatVersion)) {
    const advice = 'publish into a new output root, let readers move to it, and delete this one';
    const summary = `these scores were published by an earlier version of this project; ${advice}`;
    const expected = `format version ${OUTPUT_FORMAT_VERSION}`;
    const found = String(document.formatVersion);
    throw new Ncs4cvrError('PUBLISH_ROOT_OUTDATED', summary, { file: uri, expected, found });
  }
  const summary = `this isn't a valid ${kind}; another program may have changed it`;
  const later = {
    known: OUTPUT_FORMAT_VERSION,
    code: 'PUBLISH_ROOT_NEWER',
    what: 'these scores were published',
    advice: 'use that version, or publish into a new output root',
  };
  return parseDocument(document, schema, { code, summary, file: uri, later });
}
