import { joinUri } from '../storage/uri.ts';

/** Where things lie below an output root (docs/publish-protocol.md). A partition is a path such as `dt=2022-05-06`. */
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
