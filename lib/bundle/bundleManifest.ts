import { z } from 'zod';
import { sha256 as digestOf } from '../base/digest.ts';
import { ContractError } from '../base/errors.ts';
import { decodeDocument } from '../base/jsonDocument.ts';
import { type FeatureContract, featureContractSchema } from '../features/contract.ts';
import { crossCheckContract } from '../features/crossCheckContract.ts';
import { type FeatureLayout, featureLayout } from '../features/featureLayout.ts';
import { labelColumnsSchema, labelCountsSchema } from '../features/readLabels.ts';
import { resolvedNetworkSchema } from '../network/networkConfig.ts';
import type { Storage } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';

const BUNDLE_FORMAT_VERSION = 1;
export const MANIFEST_FILE = 'bundle.json';
export const MODEL_FILE = 'model.onnx';
export const GOLDEN_FILE = 'golden.arrow';
export const REFERENCE_FILE = 'reference.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in lower-case hex');

const aucAlone = z.number().nullable();

const fileSchema = z.strictObject({ sizeBytes: z.int().min(0), sha256 });

/** `bundle.json`: everything needed to score with the model and to tell where it came from. */
const bundleManifestSchema = z.strictObject({
  formatVersion: z.literal(BUNDLE_FORMAT_VERSION),
  modelVersion: z.string().min(1),
  contractFingerprint: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  files: z
    .object({
      [MODEL_FILE]: fileSchema,
      [GOLDEN_FILE]: fileSchema,
      /** Absent from a bundle that no gate can compare a night with. */
      [REFERENCE_FILE]: fileSchema.optional(),
    })
    .catchall(fileSchema.optional()),
  network: resolvedNetworkSchema,
  labels: labelColumnsSchema,
  training: z.strictObject({
    data: z.string(),
    trainRows: z.int(),
    validationRows: z.int(),
    /** First and last partition, or how the rows were split. */
    trainSplit: z.string(),
    validationSplit: z.string(),
    seed: z.int(),
    /** The training config as it was given, contract left out. */
    config: z.record(z.string(), z.unknown()),
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
    seconds: z.number(),
  }),
  contract: featureContractSchema,
});

export type BundleManifest = z.infer<typeof bundleManifestSchema>;

/** Size and sha256 of the model that scores; with the contract it decides every bit of them. */
export function modelFileOf({ files }: BundleManifest): Readonly<z.infer<typeof fileSchema>> {
  return files[MODEL_FILE];
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

/**
 * The name of a bundle's content, 64 hex digits: the sha256 of the manifest's bytes, which hold the digests of the other
 * files. Nothing is verified.
 */
export async function bundleDigest(storage: Storage, uri: string): Promise<string> {
  return digestOf(await storage.readWhole(joinUri(uri, MANIFEST_FILE)));
}

/** @throws Ncs4cvrError BUNDLE_MANIFEST_INVALID */
export function decodeBundleManifest(bytes: Uint8Array, file: string): BundleManifest {
  return decodeDocument(bytes, bundleManifestSchema, {
    code: 'BUNDLE_MANIFEST_INVALID',
    summary: 'the manifest is invalid',
    file,
    crossCheck: (manifest) => crossCheckContract(manifest?.contract).map((problem) => `contract.${problem}`),
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
