import { sha256 } from '../base/digest.ts';
import { ProblemsError } from '../base/errors.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { copyVerified } from './bundleFiles.ts';
import { bundleDigest, decodeBundleManifest, MANIFEST_FILE } from './bundleManifest.ts';
import { loadBundle, type ModelBundle } from './loadBundle.ts';

/** A verified bundle at the place that its content names. */
export interface InstalledBundle {
  /** As `bundleDigest`, and the name of its folder. */
  readonly digest: string;
  readonly bundle: ModelBundle;
}

/**
 * Copies a bundle to `folder/DIGEST/`, the manifest last, and verifies the copy, golden rows included. Files that are there
 * stay as they are, so that any number of callers, and one that repeats a call that was cut off, end with the same files.
 * @throws Ncs4cvrError as loadBundle, of the source before anything is written, and of the copy
 */
export async function installBundle(source: string, folder: string): Promise<InstalledBundle> {
  const from = storageFor(source);
  // Before the verification: what is copied is what this very manifest names.
  const manifestBytes = await from.readWhole(joinUri(source, MANIFEST_FILE));
  // Not kept: its tables would stay in memory beside those of the copy.
  await loadBundle(from, source);
  const { files } = decodeBundleManifest(manifestBytes, joinUri(source, MANIFEST_FILE));
  const digest = sha256(manifestBytes);
  const uri = joinUri(folder, digest);
  const storage = storageFor(uri);
  for (const [path, expected] of Object.entries(files)) {
    // A model may be large: it isn't sent only to learn that it is there.
    if ((await storage.stat(joinUri(uri, path))) !== undefined) continue;
    const problems = await copyVerified(from, source, uri, path, expected);
    if (problems.length > 0) throw corrupt(source, problems);
  }
  const manifestFile = joinUri(uri, MANIFEST_FILE);
  if ((await storage.stat(manifestFile)) === undefined) {
    await writeWhole(manifestFile, manifestBytes, { ifAbsent: true });
  }
  return { digest, bundle: await loadInstalledBundle(folder, digest) };
}

/** Loads and verifies a bundle that was installed. @throws Ncs4cvrError as loadBundle; BUNDLE_CORRUPT for another bundle there */
export async function loadInstalledBundle(folder: string, digest: string): Promise<ModelBundle> {
  const uri = joinUri(folder, digest);
  const storage = storageFor(uri);
  const bundle = await loadBundle(storage, uri);
  const found = await bundleDigest(storage, uri);
  if (found === digest) return bundle;
  throw corrupt(uri, [`${MANIFEST_FILE}: expected sha256 ${digest}, as the folder is named, found ${found}`]);
}

function corrupt(uri: string, problems: readonly string[]): ProblemsError {
  return new ProblemsError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', problems, { file: uri });
}
