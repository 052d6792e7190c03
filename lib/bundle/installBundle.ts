import { sha256 } from '../base/digest.ts';
import { ProblemsError } from '../base/errors.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinPath, joinUri } from '../storage/uri.ts';
import { bundleDigest, MANIFEST_FILE } from './bundleManifest.ts';
import { loadBundle, loadBundleFiles, type ModelBundle } from './loadBundle.ts';

/** A verified bundle at the place that its content names. */
export interface InstalledBundle {
  /** As `bundleDigest`, and the name of its folder. */
  readonly digest: string;
  readonly bundle: ModelBundle;
}

/**
 * Copies a bundle to `folder/DIGEST/` and verifies the copy, golden rows included. Files that are there stay as they are, so
 * that any number of callers, and one that repeats a call that was cut off, end with the same files.
 * @throws Ncs4cvrError as loadBundle, of the source before anything is written, and of the copy
 */
export async function installBundle(source: string, folder: string): Promise<InstalledBundle> {
  const { files } = await loadBundleFiles(storageFor(source), source);
  const digest = sha256(files.get(MANIFEST_FILE)!);
  const uri = joinUri(folder, digest);
  const storage = storageFor(uri);
  for (const [name, bytes] of files) {
    const file = joinPath(uri, name);
    // A model may be large: it isn't sent only to learn that it is there.
    if ((await storage.stat(file)) === undefined) await writeWhole(file, bytes, { ifAbsent: true });
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
  const problem = `${MANIFEST_FILE}: expected sha256 ${digest}, as the folder is named, found ${found}`;
  throw new ProblemsError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', [problem], { file: uri });
}
