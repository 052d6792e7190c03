import { z } from 'zod';
import { sha256 as digestOf } from '../base/digest.ts';
import { ContractError, Ncs4cvrError } from '../base/errors.ts';
import { decodeJson, isRecord, parseDocument } from '../base/jsonDocument.ts';
import { type FeatureContract, featureContractSchema } from '../features/contract.ts';
import { crossCheckContract } from '../features/crossCheckContract.ts';
import { type FeatureLayout, featureLayout } from '../features/featureLayout.ts';
import { type LabelColumns, labelColumnsSchema, labelCountsSchema } from '../features/readLabels.ts';
import { vocabulariesOf } from '../features/vocabulary.ts';
import { type NetworkConfig, resolvedNetworkSchema } from '../network/networkConfig.ts';
import type { Storage } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { inputPlanSchema } from './gatherPlan.ts';

export const BUNDLE_FORMAT_VERSION = 2;
export const MANIFEST_FILE = 'bundle.json';
export const MODEL_FILE = 'model.onnx';
export const GOLDEN_FILE = 'golden.arrow';
export const REFERENCE_FILE = 'reference.json';
/** Where the files of embedding tables lie. */
export const EMBEDDINGS_FOLDER = 'embeddings/';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in lower-case hex');

const aucAlone = z.number().nullable();

const fileSchema = z.strictObject({ sizeBytes: z.int().min(0), sha256 });

/** Size and digest of a file of a bundle. */
export type FileFacts = Readonly<z.infer<typeof fileSchema>>;

/** Relative, below the bundle; no segment is hidden, empty, `.` or `..`. */
const filePath = z
  .string()
  .max(1024)
  .regex(/^[A-Za-z0-9%][A-Za-z0-9._%-]*(\/[A-Za-z0-9%][A-Za-z0-9._%-]*)*$/, 'a relative path of plain names')
  .refine((path) => path !== MANIFEST_FILE, 'the manifest, which holds no digest of itself');

/** Every file but the manifest; model.onnx and golden.arrow are there in any bundle. */
const filesSchema = z
  .record(filePath, fileSchema)
  .superRefine((files, context) => {
    for (const name of [MODEL_FILE, GOLDEN_FILE]) {
      if (files[name] === undefined)
        context.addIssue({ code: 'custom', path: [name], message: 'is missing' });
    }
  })
  .transform((files) => files as BundleFiles);

/** Each by its path. The reference is absent from a bundle that no gate can compare a night with. */
type BundleFiles = Record<string, FileFacts> & Record<typeof MODEL_FILE | typeof GOLDEN_FILE, FileFacts>;

const count = z.int().min(0);

const changeOf = <T extends z.ZodType>(value: T) => z.strictObject({ before: value, after: value });

/** How far a task's scores of the validation rows moved. */
const accuracySchema = z.strictObject({
  auc: changeOf(z.number().nullable()),
  mean: changeOf(z.number()),
  largestChange: z.number(),
});

/** What a bundle in fewer bits was made of, and what that changed. */
const exportSchema = z.strictObject({
  from: z.strictObject({ modelVersion: z.string(), modelSha256: sha256 }),
  /** Of the dense layers, and of the embedding tables' rows. */
  layers: z.enum(['float32', 'int8']),
  tables: z.enum(['F32', 'F16', 'I8']),
  /** Training rows that the layers' integers were fitted on. */
  calibrationRows: count,
  accuracy: z.strictObject({ click: accuracySchema, conversion: accuracySchema }),
  codeVersion: z.string(),
  finishedAt: z.iso.datetime(),
});

/** An ONNX file that was made elsewhere. */
const ownNetworkSchema = z.strictObject({
  /** An ONNX file that was made elsewhere: of what it computes nothing is known. */
  kind: z.literal('own'),
  /** Its name. */
  file: z.string(),
  /** What it says of its making. */
  producer: z.string(),
  /** Version of the standard operators. */
  opset: z.int(),
  /** Of the file as it was given, with the weights that lay in others beside it. */
  sizeBytes: count,
  /** Of the file as it was given, with the weights that lay in others beside it. */
  sha256,
});
export type OwnNetwork = Readonly<z.infer<typeof ownNetworkSchema>>;

/**
 * `bundle.json`: everything needed to score with the model and to tell where it came from.
 * @internal exported for the reference of documents
 */
export const bundleManifestSchema = z.strictObject({
  formatVersion: z.literal(BUNDLE_FORMAT_VERSION),
  /** What prediction files call the model. */
  modelVersion: z.string().min(1),
  /** Of the fitted contract. */
  contractFingerprint: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Every other file of the bundle, by its path. */
  files: filesSchema,
  /** What is gathered in front of model.onnx, in the order of its inputs; what an own model takes of encoded rows. */
  inputs: inputPlanSchema,
  /**
   * Of the matrix products for one row, both tasks: in the network as it was trained, and in model.onnx. A column of zeros that
   * fills up the inputs to an even number counts there: where nothing could be left out, they may be more. Absent for an own model.
   */
  multiplyAddsPerRow: z.strictObject({ trained: count, scored: count }).optional(),
  /** As it was trained; `own` for an ONNX file that was made elsewhere. */
  network: z.union([resolvedNetworkSchema, ownNetworkSchema]),
  /** Columns of the labels; absent where nobody has named any. */
  labels: labelColumnsSchema.optional(),
  /** Of an own model: which rows the reference tells of. */
  training: z.strictObject({
    /** Folder or list of the shards. */
    data: z.string(),
    /** Rows that it was trained on. */
    trainRows: z.int(),
    /** Rows that it was chosen by. */
    validationRows: z.int(),
    /** First and last partition, or how the rows were split. */
    trainSplit: z.string(),
    /** The same of the validation rows. */
    validationSplit: z.string(),
    seed: z.int(),
    /** The training config as it was given, contract left out. */
    config: z.record(z.string(), z.unknown()),
    /** On the validation rows. */
    metrics: z.record(z.string(), z.unknown()),
    /** Over training and validation rows: how often a feature had no value, or one outside the vocabulary. */
    features: z.array(
      z.strictObject({ name: z.string(), values: z.int(), missing: z.int(), unseen: z.int() }),
    ),
    /** What the labels were, unknown ones and those ignored among them; absent in bundles of before. */
    labels: z
      .strictObject({
        training: labelCountsSchema,
        validation: labelCountsSchema,
        /** From which labels.matureAfter counts back; absent where rows have no day. */
        newestDay: z.iso.date().optional(),
      })
      .optional(),
    /** What each feature tells of the labels alone, see aucAlone.ts; absent in bundles of before. */
    leaks: z
      .strictObject({
        bound: z.number(),
        /** Let through by the config's allowLeak. */
        allowed: z.array(z.string()).readonly(),
        alone: z
          .array(
            z.strictObject({
              feature: z.string(),
              aucs: z.strictObject({ click: aucAlone, conversion: aucAlone }),
            }),
          )
          .readonly(),
      })
      .optional(),
    /** What was found otherwise than one may expect: days without a partition, partitions passed over. */
    notes: z.array(z.string()).readonly().optional(),
    /** Every round of the mask search and every joint candidate; absent when nothing was searched. */
    masks: z.record(z.string(), z.unknown()).optional(),
    codeVersion: z.string(),
    finishedAt: z.iso.datetime(),
    /** That the training took. */
    seconds: z.number(),
  }),
  /** Absent from a bundle as it was trained. */
  exported: exportSchema.optional(),
  /** Fitted. */
  contract: featureContractSchema,
});

export type BundleManifest = z.infer<typeof bundleManifestSchema>;

/**
 * Size and sha256 of model.onnx, which holds a digest of what is gathered for it: with the contract it decides every bit of
 * the scores.
 */
export function modelFileOf({ files }: BundleManifest): FileFacts {
  return files[MODEL_FILE];
}

/** Of all embedding files together: what a process that scores holds in memory, once for all threads. */
export function embeddingsBytes({ files }: BundleManifest): number {
  const tables = Object.entries(files).filter(([path]) => path.startsWith(EMBEDDINGS_FOLDER));
  return tables.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0);
}

/** Does a bundle begin here? What it holds isn't looked at. */
export function isBundle(storage: Storage, uri: string): Promise<boolean> {
  return storage.exists(joinUri(uri, MANIFEST_FILE));
}

/** The manifest alone: what a bundle says it is, not verified against its files. @throws Ncs4cvrError BUNDLE_MANIFEST_INVALID */
export async function readBundleManifest(storage: Storage, uri: string): Promise<BundleManifest> {
  const file = joinUri(uri, MANIFEST_FILE);
  return decodeBundleManifest(await storage.readWhole(file), file);
}

/** The network of a model that was trained here; undefined for an own model, which is one ONNX file. */
export function trainedNetwork({ network }: Pick<BundleManifest, 'network'>): NetworkConfig | undefined {
  return network.kind === 'own' ? undefined : network;
}

/**
 * The labels that a bundle's manifest names.
 * @throws Ncs4cvrError BUNDLE_NO_LABELS
 */
export function labelsOf(bundleUri: string, { labels }: Pick<BundleManifest, 'labels'>): LabelColumns {
  if (labels !== undefined) return labels;
  throw new Ncs4cvrError(
    'BUNDLE_NO_LABELS',
    'the bundle names no label columns, so nothing can be measured',
    {
      file: joinUri(bundleUri, MANIFEST_FILE),
    },
  );
}

/**
 * The name of a bundle's content, 64 hex digits: the sha256 of the manifest's bytes, which hold the digests of the other
 * files. Nothing is verified.
 */
export async function bundleDigest(storage: Storage, uri: string): Promise<string> {
  return digestOf(await storage.readWhole(joinUri(uri, MANIFEST_FILE)));
}

/** @throws Ncs4cvrError BUNDLE_MANIFEST_INVALID */
export function decodeBundleManifest(bytes: Uint8Array, file: string): BundleManifest {
  const code = 'BUNDLE_MANIFEST_INVALID';
  const document = decodeJson(bytes, { code, file });
  refuseOtherFormat(document, file);
  return parseDocument(document, bundleManifestSchema, {
    code,
    summary: 'the manifest is invalid',
    file,
    crossCheck: (manifest) => {
      const problems = [
        ...missingOf(document),
        ...crossCheckContract(manifest?.contract).map((problem) => `contract.${problem}`),
      ];
      // Only a contract whose references hold says which vocabularies it has.
      return manifest === undefined || problems.length > 0 ? problems : crossCheckVocabularies(manifest);
    },
  });
}

/** What only the bundle of an own model may lack. */
function missingOf(document: unknown): string[] {
  if (!isRecord(document) || (isRecord(document.network) && document.network.kind === 'own')) return [];
  return ['labels', 'multiplyAddsPerRow'].flatMap((key) =>
    document[key] === undefined ? [`${key}: is missing`] : [],
  );
}

/** The contract and the list of files tell of the same vocabularies. */
function crossCheckVocabularies({ contract, files }: BundleManifest): string[] {
  return Array.from(vocabulariesOf(contract)).flatMap(([path, { sha256 }]) => {
    if (files[path] === undefined) return [`files.${path}: is missing, and the contract names it`];
    return files[path].sha256 === sha256 ? [] : [`files.${path}: has another sha256 than in the contract`];
  });
}

/** A bundle of another format isn't damaged: its keys would be a misleading list of problems. */
function refuseOtherFormat(document: unknown, file: string): void {
  const found = isRecord(document) ? document.formatVersion : undefined;
  if (typeof found !== 'number' || found === BUNDLE_FORMAT_VERSION) return;
  const remedy =
    found < BUNDLE_FORMAT_VERSION
      ? 'this version of ncs4cvr has written no such bundles: train the model again'
      : 'score it with the version of ncs4cvr that wrote it, or a later one';
  throw new Ncs4cvrError('BUNDLE_FORMAT_UNSUPPORTED', `the bundle has another format; ${remedy}`, {
    file,
    expected: `formatVersion ${BUNDLE_FORMAT_VERSION}`,
    found: String(found),
  });
}

/**
 * The layout of the contract that a bundle's manifest holds.
 * @throws ContractError CONTRACT_NOT_FITTED, which names the manifest
 */
export function bundleLayout(bundleUri: string, contract: FeatureContract): FeatureLayout {
  try {
    return featureLayout(contract);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    const { code, expected, found, location } = error;
    throw new ContractError(code, "the bundle's contract was never fitted on training shards", {
      ...location,
      file: joinUri(bundleUri, MANIFEST_FILE),
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      cause: error,
    });
  }
}
