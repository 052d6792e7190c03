import { z } from 'zod';
import { featureContractSchema } from '../features/contract.ts';
import { labelColumnsSchema } from '../features/readLabels.ts';
import { resolvedNetworkSchema } from './networkConfig.ts';

export const BUNDLE_FORMAT_VERSION = 1;
export const MANIFEST_FILE = 'bundle.json';
export const MODEL_FILE = 'model.onnx';
export const GOLDEN_FILE = 'golden.arrow';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in lower-case hex');

const fileSchema = z.strictObject({ sizeBytes: z.int().min(0), sha256 });

/** `bundle.json`: everything needed to score with the model and to tell where it came from. */
export const bundleManifestSchema = z.strictObject({
  formatVersion: z.literal(BUNDLE_FORMAT_VERSION),
  modelVersion: z.string().min(1),
  contractFingerprint: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  files: z.strictObject({ [MODEL_FILE]: fileSchema, [GOLDEN_FILE]: fileSchema }),
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
    /** Every round of the mask search and every joint candidate; absent when nothing was searched. */
    masks: z.record(z.string(), z.unknown()).optional(),
    codeVersion: z.string(),
    finishedAt: z.iso.datetime(),
    seconds: z.number(),
  }),
  contract: featureContractSchema,
});

export type BundleManifest = z.infer<typeof bundleManifestSchema>;
