import { sha256 } from '../base/digest.ts';
import { ProblemsError, StorageError } from '../base/errors.ts';
import type { FeatureContract } from '../features/contract.ts';
import { contractFingerprint } from '../features/contract.ts';
import { type FeatureLayout, featureLayout } from '../features/featureLayout.ts';
import type { Storage } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import {
  type BundleManifest,
  decodeBundleManifest,
  GOLDEN_FILE,
  MANIFEST_FILE,
  MODEL_FILE,
} from './bundleManifest.ts';
import { verifyModel } from './verifyModel.ts';

/** A model bundle whose files, interface and golden rows were all verified. */
export interface ModelBundle {
  readonly uri: string;
  readonly manifest: BundleManifest;
  readonly contract: FeatureContract;
  readonly layout: FeatureLayout;
  readonly modelBytes: Uint8Array;
}

/**
 * Loads and verifies a bundle: manifest, file sizes and checksums, the model's inputs, outputs and operators,
 * and the golden rows' scores. Everything wrong within a stage is reported at once; a later stage needs the former.
 * @throws Ncs4cvrError BUNDLE_MANIFEST_INVALID, BUNDLE_CORRUPT, BUNDLE_INTERFACE, BUNDLE_GOLDEN_MISMATCH, BUNDLE_GOLDEN_INVALID,
 *   BUNDLE_VERIFICATION_TIMEOUT; StorageError when a file can't be read
 */
export async function loadBundle(storage: Storage, uri: string): Promise<ModelBundle> {
  return (await loadBundleFiles(storage, uri)).bundle;
}

/** A verified bundle, and the bytes of its files by their names, in the order in which a copy is written. */
export interface BundleFiles {
  readonly bundle: ModelBundle;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** As `loadBundle`, for a copy: what was verified are these very bytes. */
export async function loadBundleFiles(storage: Storage, uri: string): Promise<BundleFiles> {
  const manifestFile = joinUri(uri, MANIFEST_FILE);
  const manifestBytes = await storage.readWhole(manifestFile);
  const manifest = decodeBundleManifest(manifestBytes, manifestFile);
  const { contract } = manifest;
  const problems: string[] = [];
  const found = contractFingerprint(contract);
  if (found !== manifest.contractFingerprint) {
    problems.push(`contract: expected fingerprint ${manifest.contractFingerprint}, found ${found}`);
  }
  const modelBytes = await readVerified(storage, uri, manifest, MODEL_FILE, problems);
  const goldenBytes = await readVerified(storage, uri, manifest, GOLDEN_FILE, problems);
  if (problems.length > 0) {
    throw new ProblemsError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', problems, { file: uri });
  }

  await verifyModel(modelBytes, goldenBytes, contract, uri);
  return {
    bundle: { uri, manifest, contract, layout: featureLayout(contract), modelBytes },
    files: new Map([
      [MODEL_FILE, modelBytes],
      [GOLDEN_FILE, goldenBytes],
      // Last: a copy that was cut off can't be loaded.
      [MANIFEST_FILE, manifestBytes],
    ]),
  };
}

async function readVerified(
  storage: Storage,
  uri: string,
  manifest: BundleManifest,
  name: typeof MODEL_FILE | typeof GOLDEN_FILE,
  problems: string[],
): Promise<Uint8Array> {
  const expected = manifest.files[name];
  let bytes: Uint8Array;
  try {
    bytes = await storage.readWhole(joinUri(uri, name));
  } catch (error) {
    // Forbidden, or out of reach for now: that says nothing of the bundle.
    if (!(error instanceof StorageError) || error.code !== 'STORAGE_NOT_FOUND') throw error;
    problems.push(`${name}: ${error.message}`);
    return new Uint8Array(0);
  }
  if (bytes.length !== expected.sizeBytes) {
    problems.push(`${name}: expected ${expected.sizeBytes} bytes, found ${bytes.length}`);
  }
  const found = sha256(bytes);
  if (found !== expected.sha256) problems.push(`${name}: expected sha256 ${expected.sha256}, found ${found}`);
  return bytes;
}
