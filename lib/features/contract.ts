import { z } from 'zod';
import { canonicalJson, sha256 } from '../base/digest.ts';
import { parseDocument } from '../base/jsonDocument.ts';
import { crossCheckContract } from './crossCheckContract.ts';
import { momentSchema } from './momentParts.ts';
import { MAX_VOCABULARY_ENTRIES } from './vocabularyFile.ts';

const columnName = z.string().min(1);
const identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'letters, digits, _ . - only');
/** A 64-bit integer as decimal text: JSON numbers lose digits above 2^53. */
const idValue = z.union([z.string(), z.int()]);

const vocabularySchema = z.strictObject({
  /** Values seen fewer times in training are treated as unseen. */
  minCount: z.int().min(1).default(1),
  /** Bound on distinct values while fitting; more is an error that asks for hashing. */
  maxEntries: z.int().min(1).max(MAX_VOCABULARY_ENTRIES).default(5_000_000),
  /** Written by fitting: how many values have an id, and the file that has them (vocabularyFile.ts). */
  fitted: z
    .strictObject({
      entries: z.int().min(0).max(MAX_VOCABULARY_ENTRIES),
      /** Path below the bundle. */
      file: z
        .string()
        .regex(
          /^vocabularies\/[A-Za-z0-9%][A-Za-z0-9._%-]*\.vocab$/,
          'a path such as vocabularies/video.vocab',
        ),
      /** Of the file: with it, the contract's fingerprint covers every value and its id. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in lower-case hex'),
    })
    .optional(),
});

const hashSchema = z.strictObject({
  buckets: z
    .int()
    .min(1)
    .max(2 ** 30),
  seed: z.int().min(0).default(0),
});

const tableSchema = z.strictObject({
  type: z.enum(['int', 'string']),
  vocabulary: vocabularySchema.optional(),
  hash: hashSchema.optional(),
  /** Values that mean "missing" in this id space, such as -1. */
  missingValues: z.array(idValue).default([]),
});

const tableReference = z.union([identifier, tableSchema]);

const commonShape = {
  /** Unique among the features; the column's name by default. */
  name: identifier.optional(),
  column: columnName,
  /** A shard without this column: an error (true), or every value is missing (false). */
  required: z.boolean().default(true),
};

/** Bytes read as the text of their hexadecimal digits. Like `precision`, without a default. */
const hexSchema = z.literal('hex');

const categoricalSchema = z.strictObject({
  kind: z.literal('categorical'),
  ...commonShape,
  from: z.union([hexSchema, momentSchema]).optional(),
  table: tableReference,
});

const listSchema = z.strictObject({
  kind: z.literal('list'),
  ...commonShape,
  from: hexSchema.optional(),
  table: tableReference,
  /** At most this many values per row; nulls don't count. */
  maxLength: z.int().min(1).max(1000),
  /** Which end of a longer list is kept. */
  keep: z.enum(['first', 'last']),
});

/** Float and decimal columns are read as float32 unless this says float64. No default, which would enter the fingerprint. */
const precision = z.literal('float64').optional();

const numericSchema = z.strictObject({
  kind: z.literal('numeric'),
  ...commonShape,
  from: momentSchema.optional(),
  precision,
  missingValues: z.array(z.number()).default([]),
  clip: z.strictObject({ min: z.number().optional(), max: z.number().optional() }).optional(),
  /** sign(x) ln(1 + |x|), after clipping. */
  log1p: z.boolean().default(false),
  /** (x - mean) / standard deviation of the training shards, after clip and log1p. */
  standardise: z.boolean().default(true),
  fitted: z
    .strictObject({ mean: z.number(), standardDeviation: z.number().positive(), rows: z.int().min(0) })
    .optional(),
});

const bucketedSchema = z.strictObject({
  kind: z.literal('bucketed'),
  ...commonShape,
  from: momentSchema.optional(),
  precision,
  missingValues: z.array(z.number()).default([]),
  /** Number of quantile buckets; fewer when the data has fewer distinct quantiles. */
  buckets: z.int().min(2).max(10_000),
  /** Written by fitting: ascending upper ends (inclusive) of all buckets but the last. */
  fitted: z.strictObject({ boundaries: z.array(z.number()) }).optional(),
});

const featureSchema = z.discriminatedUnion('kind', [
  categoricalSchema,
  listSchema,
  numericSchema,
  bucketedSchema,
]);

export const featureContractSchema = z.strictObject({
  contractVersion: z.literal(1),
  /** Columns copied to the output untouched. */
  rowKeys: z.array(columnName).min(1),
  /** Embedding tables that several features share. */
  tables: z.record(identifier, tableSchema).default({}),
  features: z.array(featureSchema).min(1),
});

/** What a model reads from a shard, and, once fitted, how every value becomes an id or a number. */
export type FeatureContract = z.infer<typeof featureContractSchema>;
export type Feature = FeatureContract['features'][number];
export type TableDefinition = z.infer<typeof tableSchema>;
export type CategoricalFeature = Extract<Feature, { kind: 'categorical' }>;
export type ListFeature = Extract<Feature, { kind: 'list' }>;
export type NumericFeature = Extract<Feature, { kind: 'numeric' }>;
export type BucketedFeature = Extract<Feature, { kind: 'bucketed' }>;

/**
 * Validates a feature contract document and fills in its defaults.
 * @param origin what the error calls the document, such as its path
 * @throws ProblemsError CONTRACT_INVALID listing every problem, shape and cross references alike
 * @internal exported for tests: elsewhere a contract is part of a config or a bundle
 */
export function parseContract(document: unknown, origin = 'feature contract'): FeatureContract {
  return parseDocument(document, featureContractSchema, {
    code: 'CONTRACT_INVALID',
    summary: `${origin} is invalid`,
    crossCheck: (contract) => crossCheckContract(contract ?? document),
  });
}

/** A feature's name: given, or its column. */
export function featureName(feature: {
  readonly name?: string | undefined;
  readonly column: string;
}): string {
  return feature.name ?? feature.column;
}

/** `sha256:` and the hex digest of the contract's canonical JSON: settings, learned numbers, digests of the vocabularies. */
export function contractFingerprint(contract: FeatureContract): string {
  return `sha256:${sha256(canonicalJson(contract))}`;
}
