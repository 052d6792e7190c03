import { sha256 } from '../base/digest.ts';
import { ProblemsError, StorageError } from '../base/errors.ts';
import { checkVocabulary } from '../features/checkVocabulary.ts';
import type { FeatureContract } from '../features/contract.ts';
import { contractFingerprint } from '../features/contract.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { type VocabularyFiles, vocabulariesOf } from '../features/vocabulary.ts';
import { decodeModelReference } from '../profile/decodeModelReference.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import type { Storage } from '../storage/storage.ts';
import { joinPath, joinUri } from '../storage/uri.ts';
import {
  type BundleManifest,
  bundleLayout,
  decodeBundleManifest,
  GOLDEN_FILE,
  MANIFEST_FILE,
  MODEL_FILE,
  REFERENCE_FILE,
} from './bundleManifest.ts';
import { verifyModel } from './verifyModel.ts';

/** A model bundle whose files, interface and golden rows were all verified. */
export interface ModelBundle {
  readonly uri: string;
  readonly manifest: BundleManifest;
  readonly contract: FeatureContract;
  readonly layout: FeatureLayout;
  readonly modelBytes: Uint8Array;
  /** Of the contract's tables, in shared memory. */
  readonly vocabularies: VocabularyFiles;
  /** What its rows and scores looked like when it was trained; undefined for a bundle that doesn't say. */
  readonly reference: ModelReference | undefined;
}

/**
 * Loads and verifies a bundle: manifest, file sizes and checksums, the reference, the model's inputs, outputs and operators,
 * and the golden rows' scores. Everything wrong within a stage is reported at once; a later stage needs the former.
 * @throws Ncs4cvrError BUNDLE_MANIFEST_INVALID, BUNDLE_CORRUPT, BUNDLE_REFERENCE_INVALID, CONTRACT_NOT_FITTED,
 *   BUNDLE_INTERFACE, BUNDLE_GOLDEN_MISMATCH, BUNDLE_GOLDEN_INVALID, BUNDLE_VERIFICATION_TIMEOUT; StorageError when a file can't be read
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
  const read = async (name: BundleFile) => {
    const expected = manifest.files[name];
    return expected && (await readVerified(storage, joinPath(uri, name), name, expected, problems));
  };
  const modelBytes = (await read(MODEL_FILE))!;
  const goldenBytes = (await read(GOLDEN_FILE))!;
  const referenceBytes = await read(REFERENCE_FILE);
  const vocabularies = new Map<string, Uint8Array>();
  for (const path of vocabulariesOf(contract).keys()) {
    const bytes = await read(path);
    if (bytes === undefined) {
      problems.push(`${path}: not among the files`);
      continue;
    }
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    vocabularies.set(path, shared);
  }
  if (problems.length > 0) {
    throw new ProblemsError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', problems, { file: uri });
  }

  const layout = bundleLayout(uri, contract);
  const reference =
    referenceBytes &&
    decodeModelReference(referenceBytes, layout, {
      code: 'BUNDLE_REFERENCE_INVALID',
      summary: 'the reference is invalid',
      file: joinUri(uri, REFERENCE_FILE),
    });
  for (const [path, expected] of vocabulariesOf(contract)) checkVocabulary(vocabularies.get(path)!, expected);
  await verifyModel(modelBytes, goldenBytes, { contract, vocabularies }, uri);
  return {
    bundle: { uri, manifest, contract, layout, modelBytes, vocabularies, reference },
    files: new Map([
      [MODEL_FILE, modelBytes],
      [GOLDEN_FILE, goldenBytes],
      ...(referenceBytes === undefined ? [] : [[REFERENCE_FILE, referenceBytes] as const]),
      ...vocabularies,
      // Last: a copy that was cut off can't be loaded.
      [MANIFEST_FILE, manifestBytes],
    ]),
  };
}

type BundleFile = string & keyof BundleManifest['files'];

async function readVerified(
  storage: Storage,
  uri: string,
  name: BundleFile,
  expected: Readonly<BundleManifest['files'][typeof MODEL_FILE]>,
  problems: string[],
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await storage.readWhole(uri);
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
