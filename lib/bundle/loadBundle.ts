import { ContractError, messageOf, ProblemsError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { checkVocabulary } from '../features/checkVocabulary.ts';
import type { FeatureContract } from '../features/contract.ts';
import { contractFingerprint } from '../features/contract.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { type VocabularyFiles, vocabulariesOf } from '../features/vocabulary.ts';
import { networkShape } from '../network/networkShape.ts';
import { decodeModelReference } from '../profile/decodeModelReference.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import type { Storage } from '../storage/storage.ts';
import { joinPath, joinUri } from '../storage/uri.ts';
import {
  checkFile,
  readShared,
  readVerified,
  requestsToRead,
  type SharedBytes,
  sharedPart,
} from './bundleFiles.ts';
import {
  type BundleManifest,
  bundleLayout,
  decodeBundleManifest,
  EMBEDDINGS_FOLDER,
  GOLDEN_FILE,
  MANIFEST_FILE,
  MODEL_FILE,
  REFERENCE_FILE,
  trainedNetwork,
} from './bundleManifest.ts';
import { type EmbeddingTable, embeddingFile, tableOver } from './embeddingTable.ts';
import { isDirectPlan } from './gatherPlan.ts';
import type { ScoringModel } from './scoringSession.ts';
import { allocateTables, type TablePlaces } from './tableMemory.ts';
import { verifyModel } from './verifyModel.ts';

/** A model bundle whose files, interface and golden rows were all verified. */
export interface ModelBundle {
  readonly uri: string;
  readonly manifest: BundleManifest;
  readonly contract: FeatureContract;
  readonly layout: FeatureLayout;
  /** Of the contract's tables, in shared memory. */
  readonly vocabularies: VocabularyFiles;
  /** Its embedding tables lie in shared memory. */
  readonly model: ScoringModel;
  /** What its rows and scores looked like when it was trained; undefined for a bundle that doesn't say. */
  readonly reference: ModelReference | undefined;
}

/** Requests that S3 gets when a bundle of these files is loaded, its manifest among them. */
export function requestsToLoad(files: BundleManifest['files']): number {
  const each = Object.entries(files).map(([path, facts]) => requestsToRead(facts, !isSmall(path)));
  return each.reduce((sum, requests) => sum + requests, 1);
}

/** Is it read in one go, and not shared? */
function isSmall(path: string): boolean {
  return [MODEL_FILE, GOLDEN_FILE, REFERENCE_FILE].includes(path);
}

/** Files that are read at the same time. */
const FILES_AT_A_TIME = 4;

/**
 * Loads and verifies a bundle: manifest, file sizes and checksums, the reference, vocabularies and embedding tables, the model's inputs,
 * outputs and operators, and the golden rows' scores. Everything wrong within a stage is reported at once; a later stage
 * needs the former.
 * @throws Ncs4cvrError BUNDLE_MANIFEST_INVALID, BUNDLE_FORMAT_UNSUPPORTED, BUNDLE_CORRUPT, BUNDLE_REFERENCE_INVALID,
 *   BUNDLE_VOCABULARY_INVALID, CONTRACT_NOT_FITTED, BUNDLE_INTERFACE, BUNDLE_GOLDEN_MISMATCH, BUNDLE_GOLDEN_INVALID, BUNDLE_VERIFICATION_TIMEOUT;
 *   StorageError when a file can't be read
 */
export async function loadBundle(storage: Storage, uri: string): Promise<ModelBundle> {
  const manifestFile = joinUri(uri, MANIFEST_FILE);
  const manifest = decodeBundleManifest(await storage.readWhole(manifestFile), manifestFile);
  const { contract, inputs, files } = manifest;
  const read = await readFiles(storage, uri, manifest);
  const layout = bundleLayout(uri, contract);
  const referenceBytes = read.small.get(REFERENCE_FILE);
  const reference =
    referenceBytes &&
    decodeModelReference(referenceBytes, layout, {
      code: 'BUNDLE_REFERENCE_INVALID',
      summary: 'the reference is invalid',
      file: joinUri(uri, REFERENCE_FILE),
    });
  const vocabularies = vocabulariesIn(read.shared, contract, uri);
  const tables = tablesIn(read, manifest, layout, uri);
  const model = { modelBytes: read.small.get(MODEL_FILE)!, inputs, tables };
  const digests = tables.map(({ name }) => [embeddingFile(name), files[embeddingFile(name)]!.sha256]);
  await verifyModel(
    model,
    Object.fromEntries(digests),
    read.small.get(GOLDEN_FILE)!,
    { contract, vocabularies },
    uri,
  );
  return { uri, manifest, contract, layout, vocabularies, model, reference };
}

/** The bytes of a bundle's files, by their paths: small ones, and vocabularies and embeddings, which may be large. */
interface ReadFiles {
  readonly small: ReadonlyMap<string, Uint8Array>;
  readonly shared: ReadonlyMap<string, SharedBytes>;
  /** Where the embeddings lie that kernels can read. */
  readonly places: TablePlaces | undefined;
}

/** @throws Ncs4cvrError BUNDLE_CORRUPT; StorageError */
async function readFiles(storage: Storage, uri: string, manifest: BundleManifest): Promise<ReadFiles> {
  const { contract, contractFingerprint: expected, files } = manifest;
  const found = contractFingerprint(contract);
  const problems = found === expected ? [] : [`contract: expected fingerprint ${expected}, found ${found}`];
  const small = new Map<string, Uint8Array>();
  const shared = new Map<string, SharedBytes>();
  const vocabularies = vocabulariesOf(contract);
  const embeddings = Object.entries(files).filter(([path]) => path.startsWith(EMBEDDINGS_FOLDER));
  const places = allocateTables(new Map(embeddings.map(([path, { sizeBytes }]) => [path, sizeBytes])));
  // In one order, whichever that of the manifest is.
  const paths = Object.keys(files).sort((a, b) => Number(isSmall(b)) - Number(isSmall(a)));
  const problemsOf = await mapConcurrently(paths, FILES_AT_A_TIME, async (path) => {
    const wrong: string[] = [];
    const place = [storage, uri, path, files[path]!, wrong] as const;
    if (isSmall(path)) small.set(path, await readVerified(...place));
    else if (path.startsWith(EMBEDDINGS_FOLDER) || vocabularies.has(path)) {
      const bytes = await readShared(...place, places?.places.get(path));
      if (bytes !== undefined) shared.set(path, bytes);
    } else await checkFile(...place);
    return wrong;
  });
  problems.push(...problemsOf.flat());
  if (problems.length === 0) return { small, shared, places };
  throw new ProblemsError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', problems, { file: uri });
}

/** @throws Ncs4cvrError BUNDLE_VOCABULARY_INVALID, which names the file */
function vocabulariesIn(
  shared: ReadFiles['shared'],
  contract: FeatureContract,
  uri: string,
): VocabularyFiles {
  return new Map(
    Array.from(vocabulariesOf(contract), ([path, expected]) => {
      const file = shared.get(path)!;
      const bytes = sharedPart(file, 0, file.byteLength);
      try {
        checkVocabulary(bytes, expected);
      } catch (error) {
        if (!(error instanceof ContractError)) throw error;
        const { code, found } = error;
        throw new ContractError(code, 'the vocabulary is damaged', {
          file: joinPath(uri, path),
          ...(found === undefined ? {} : { found }),
          cause: error,
        });
      }
      return [path, bytes];
    }),
  );
}

/** An own model has none. @throws Ncs4cvrError BUNDLE_INTERFACE when there is another table than the contract has, or one of another shape */
function tablesIn(
  { shared, places }: ReadFiles,
  manifest: BundleManifest,
  layout: FeatureLayout,
  uri: string,
): EmbeddingTable[] {
  const tables: EmbeddingTable[] = [];
  const problems: string[] = [];
  const network = trainedNetwork(manifest);
  let embeddingWidth = 0;
  try {
    if (network !== undefined) embeddingWidth = networkShape(network, layout).embeddingWidth;
  } catch (error) {
    throw unfitting(uri, [messageOf(error)]);
  }
  if ((network === undefined) !== isDirectPlan(manifest.inputs)) {
    problems.push("inputs: an own model's for another network, or the reverse");
  }
  const embedded = network === undefined ? [] : layout.tables;
  for (const table of embedded) {
    const path = embeddingFile(table.name);
    const file = shared.get(path);
    const memory = places?.places.has(path) ? places.memory : undefined;
    const found =
      file === undefined ? 'the bundle has no such file' : tableOver(file, table, embeddingWidth, memory);
    if (typeof found === 'string') problems.push(`${path}: ${found}`);
    else tables.push(found);
  }
  const known = new Set(embedded.map(({ name }) => embeddingFile(name)));
  for (const path of shared.keys()) {
    if (path.startsWith(EMBEDDINGS_FOLDER) && !known.has(path)) problems.push(`${path}: not expected`);
  }
  if (problems.length === 0) return tables;
  throw unfitting(uri, problems);
}

function unfitting(file: string, problems: readonly string[]): ProblemsError {
  const summary = "the network and its embeddings don't fit the bundle's contract";
  return new ProblemsError('BUNDLE_INTERFACE', summary, problems, { file });
}
