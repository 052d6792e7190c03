import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { decodeModelReference } from '../profile/decodeModelReference.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import type { Storage } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { type BundleManifest, bundleLayout, REFERENCE_FILE } from './bundleManifest.ts';

/**
 * A bundle's reference without its model: one read beside the manifest's.
 * @returns undefined for a bundle that was written without one
 * @throws Ncs4cvrError BUNDLE_CORRUPT, BUNDLE_REFERENCE_INVALID, CONTRACT_NOT_FITTED; StorageError
 */
export async function readReference(
  storage: Storage,
  bundleUri: string,
  { files, contract }: Pick<BundleManifest, 'files' | 'contract'>,
): Promise<ModelReference | undefined> {
  const expected = files[REFERENCE_FILE];
  if (expected === undefined) return undefined;
  const file = joinUri(bundleUri, REFERENCE_FILE);
  const bytes = await storage.readWhole(file);
  const found = sha256(bytes);
  if (found !== expected.sha256) {
    throw new Ncs4cvrError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', {
      file,
      expected: `sha256 ${expected.sha256}`,
      found,
    });
  }
  return decodeModelReference(bytes, bundleLayout(bundleUri, contract), {
    code: 'BUNDLE_REFERENCE_INVALID',
    summary: 'the reference is invalid',
    file,
  });
}
