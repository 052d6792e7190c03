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
  /** More distinct values than this while fitting is an error (`CONTRACT_VOCABULARY_TOO_LARGE`). */
  maxEntries: z.int().min(1).max(MAX_VOCABULARY_ENTRIES).default(5_000_000),
  /** Written by fitting. */
  fitted: z
    .strictObject({
      /** How many values have an id. */
      entries: z.int().min(0).max(MAX_VOCABULARY_ENTRIES),
      /** The file that has them: a path below the bundle. */
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
  /** Different values may share a bucket. */
  buckets: z
    .int()
    .min(1)
    .max(2 ** 30),
  /** Of the hash. */
  seed: z.int().min(0).default(0),
});

const tableSchema = z.strictObject({
  /** Of the values. */
  type: z.enum(['int', 'string']),
  /** An id for every value that training has seen. Either this or `hash`. */
  vocabulary: vocabularySchema.optional(),
  /** Ids by hashing. */
  hash: hashSchema.optional(),
  /** Values that mean "missing", such as -1 or ""; integers beyond 2^53 as text. */
  missingValues: z.array(idValue).default([]),
});

const tableReference = z.union([identifier, tableSchema]);

const commonShape = {
  /** Unique; letters, digits, `_ . -`, no digit first. The column's name by default. */
  name: identifier.optional(),
  /** The shard's column; several features may read the same one. */
  column: columnName,
  /** Is a shard without this column an error? Every value is missing otherwise. */
  required: z.boolean().default(true),
};

/** Bytes read as the text of their hexadecimal digits. Like `precision`, without a default. */
const hexSchema = z.literal('hex');

const categoricalSchema = z.strictObject({
  /** One id. */
  kind: z.literal('categorical'),
  ...commonShape,
  /** `hex`: a column of bytes, each value as its hexadecimal digits. Or a moment of a date or timestamp. */
  from: z.union([hexSchema, momentSchema]).optional(),
  /** Where its embeddings are: the name of a shared table, or one of its own, with the keys of `tables.NAME`. */
  table: tableReference,
});

const listSchema = z.strictObject({
  /** A list of ids, whose embeddings are averaged. */
  kind: z.literal('list'),
  ...commonShape,
  /** `hex`: lists of bytes, each value as its hexadecimal digits. */
  from: hexSchema.optional(),
  /** Where its embeddings are: the name of a shared table, or one of its own, with the keys of `tables.NAME`. */
  table: tableReference,
  /** At most this many values per row; nulls don't count. */
  maxLength: z.int().min(1).max(1000),
  /** Which end of a longer list is kept. */
  keep: z.enum(['first', 'last']),
});

// No default, which would enter the fingerprint.
const precision = {
  /** Float and decimal columns are read as float32 without this. */
  precision: z.literal('float64').optional(),
};

const numericSchema = z.strictObject({
  /** A number that the network sees as it is. */
  kind: z.literal('numeric'),
  ...commonShape,
  /** Read a date or timestamp as a number: its hour, its weekday, or its age. */
  from: momentSchema.optional(),
  ...precision,
  /** Numbers that mean "missing". */
  missingValues: z.array(z.number()).default([]),
  clip: z
    .strictObject({
      /** Lower numbers become this one. */
      min: z.number().optional(),
      /** Higher numbers become this one. */
      max: z.number().optional(),
    })
    .optional(),
  /** sign(x) ln(1 + |x|), after clipping. */
  log1p: z.boolean().default(false),
  /** (x - mean) / standard deviation of the training shards, after clip and log1p. */
  standardise: z.boolean().default(true),
  fitted: z
    .strictObject({
      /** After clip and log1p. */
      mean: z.number(),
      /** After clip and log1p. */
      standardDeviation: z.number().positive(),
      /** That had a value. */
      rows: z.int().min(0).default(0),
    })
    .optional(),
});

const bucketedSchema = z.strictObject({
  /** A number as the id of its quantile. */
  kind: z.literal('bucketed'),
  ...commonShape,
  /** Read a date or timestamp as a number: its hour, its weekday, or its age. */
  from: momentSchema.optional(),
  ...precision,
  /** Numbers that mean "missing". */
  missingValues: z.array(z.number()).default([]),
  /** Groups of equal size that the training values are cut into; fewer when there are fewer distinct values. */
  buckets: z.int().min(2).max(10_000),
  fitted: z
    .strictObject({
      /** Written by fitting: ascending upper ends (inclusive) of all buckets but the last. */
      boundaries: z.array(z.number()),
    })
    .optional(),
});

const featureSchema = z.discriminatedUnion('kind', [
  categoricalSchema,
  listSchema,
  numericSchema,
  bucketedSchema,
]);

export const featureContractSchema = z.strictObject({
  /** Of this format. */
  contractVersion: z.literal(1),
  /** Columns that name a row, copied to the output unchanged. */
  rowKeys: z.array(columnName).min(1),
  /** Embedding tables that several features share, by name; every one must be used. */
  tables: z.record(identifier, tableSchema).default({}),
  /** Their order is the order of the model's inputs. */
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
