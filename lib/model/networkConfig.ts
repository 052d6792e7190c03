import { z } from 'zod';

/** Pairwise dot products of field embeddings, put before the embeddings themselves. */
const crossSchema = z.strictObject({
  /** `full`: all F x F products, as the paper; `upper`: each pair once, self terms included; `none`. */
  mode: z.enum(['full', 'upper', 'none']).default('full'),
  /** Names of the fields that take part; all of them by default. */
  fields: z.array(z.string()).min(2).optional(),
});

const ncsSchema = z.strictObject({
  kind: z.literal('ncs'),
  /** E: width of every embedding. */
  embeddingWidth: z.int().min(1).max(256).default(16),
  cross: crossSchema.prefault({}),
  /** Widths of the trunk's fully connected layers. */
  hidden: z.array(z.int().min(1).max(8192)).min(1).max(8).default([256, 128, 64]),
});

/** One weight an id and task, no trunk: the baseline that every network has to beat. */
const logisticSchema = z.strictObject({
  kind: z.literal('logistic'),
  /** Adagrad's learning rate of the weights; a convex model wants a larger one than embeddings do. */
  learningRate: z.number().positive().default(0.05),
});

const networkObjectSchema = z.discriminatedUnion('kind', [ncsSchema, logisticSchema]);

/** Shape of the network, with every default filled in. */
export type NetworkConfig = z.infer<typeof networkObjectSchema>;
export type NcsNetworkConfig = Extract<NetworkConfig, { kind: 'ncs' }>;

/** Networks that a config may name instead of spelling out. */
export const NETWORK_PRESETS = {
  default: { kind: 'ncs' },
  paper: { kind: 'ncs', embeddingWidth: 16, cross: { mode: 'full' }, hidden: [512, 256, 128] },
  logistic: { kind: 'logistic' },
} as const satisfies Record<string, z.input<typeof networkObjectSchema>>;

const presetNames = Object.keys(NETWORK_PRESETS) as (keyof typeof NETWORK_PRESETS)[];

/** A network: the name of a preset, or the object itself. */
export const networkConfigSchema = z.union([
  z.enum(presetNames).transform((name) => networkObjectSchema.parse(NETWORK_PRESETS[name])),
  networkObjectSchema,
]);

/** For documents that hold the resolved network only, such as a bundle. */
export const resolvedNetworkSchema = networkObjectSchema;
