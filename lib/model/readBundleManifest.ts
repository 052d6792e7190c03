import { describeIssue } from '../describeIssue.ts';
import { ModelError, messageOf, ProblemsError } from '../errors.ts';
import { crossCheckContract } from '../features/crossCheckContract.ts';
import type { Storage } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { type BundleManifest, bundleManifestSchema, MANIFEST_FILE } from './bundleManifest.ts';

/** The manifest alone: what a bundle says it is, not verified against its files. @throws ModelError BUNDLE_MANIFEST_INVALID */
export async function readBundleManifest(storage: Storage, uri: string): Promise<BundleManifest> {
  const file = joinUri(uri, MANIFEST_FILE);
  const bytes = await storage.readWhole(file);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new ModelError('BUNDLE_MANIFEST_INVALID', `not JSON: ${messageOf(cause)}`, { file, cause });
  }
  const result = bundleManifestSchema.safeParse(document);
  const problems = result.success
    ? crossCheckContract(result.data.contract).map((problem) => `contract.${problem}`)
    : result.error.issues.flatMap((issue) => describeIssue(issue));
  if (result.success && problems.length === 0) return result.data;
  throw new ProblemsError('BUNDLE_MANIFEST_INVALID', 'the manifest is invalid', problems, { file });
}
