import type { z } from 'zod';
import { decodeDocument } from '../base/jsonDocument.ts';
import { joinUri } from '../storage/uri.ts';

/** Where things are below an output root (docs/publish-protocol.md). A partition is a path such as `dt=2022-05-06`. */
export const partUri = (root: string, partition: string, partId: string): string =>
  joinUri(root, 'parts', partition, `${partId}.arrow`);
export const receiptUri = (root: string, partition: string, partId: string): string =>
  joinUri(root, 'receipts', partition, `${partId}.json`);
export const manifestUri = (root: string, partition: string, sha256: string): string =>
  joinUri(root, 'manifests', partition, `${sha256}.json`);
export const pointerUri = (root: string, partition: string): string =>
  joinUri(root, 'pointers', `${partition}.json`);
/** @param name the plan's digest, with `.units` or `.publish` for what was made of it */
export const planUri = (root: string, name: string): string => joinUri(root, 'plans', `${name}.json`);

/**
 * Reads a document from below an output root.
 * @param kind what it should be, such as `manifest`, for the error
 * @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID naming every problem
 */
export function decodeOutputDocument<Schema extends z.ZodType>(
  bytes: Uint8Array,
  schema: Schema,
  kind: string,
  uri: string,
): z.infer<Schema> {
  const summary = `this isn't a valid ${kind}; another program may have changed it`;
  return decodeDocument(bytes, schema, { code: 'PUBLISH_DOCUMENT_INVALID', summary, file: uri });
}
