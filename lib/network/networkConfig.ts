import { z } from 'zod';

/** Pairwise dot products of field embeddings, put before the embeddings themselves. */
const crossSchema = z.strictObject({
  /** `full`: all F x F products, as the paper; `upper`: each pair once, self terms included; `none`. */
  mode: z.enum(['full', 'upper', 'none']).default('full'),
  /** Names of the fields that take part; all of them by default. */
  fields: z.array(z.string()).min(2).optional(),
});

const layerWidth = z.int().min(1).max(8192);

const inputSchema = z.strictObject({
  /** Numbers of an embedding that a task sees. */
  embeddingWidth: z.int().min(1).max(256).default(16),
  /** Dot products between the embeddings of fields. */
  cross: crossSchema.prefault({}),
});

const ncsSchema = inputSchema.extend({
  /** One trunk whose single connections are shared or private. */
  kind: z.literal('ncs'),
  /** Of these numbers, those that are a task's own; the others are shared. */
  privateEmbeddingWidth: z.int().min(0).max(256).default(0),
  /** Widths of the trunk's fully connected layers. */
  hidden: z.array(layerWidth).min(1).max(8).default([256, 128, 64]),
});

/**
 * Sharing of whole networks, what NCS is compared with: experts that both tasks see, experts of one task, per
 * task a softmax gate over the experts it sees (none over a single one), and private layers behind it.
 */
const expertsSchema = inputSchema.extend({
  /** Whole networks shared: experts, gates and towers (shared-bottom, MMoE, PLE). Masks don't apply. */
  kind: z.literal('experts'),
  /** Widths of an expert's fully connected layers. */
  hidden: z.array(layerWidth).min(1).max(8).default([256, 128, 64]),
  /** Experts that both tasks see. */
  shared: z.int().min(0).max(64).default(3),
  /** Further experts that only one task sees, for each of the tasks. */
  perTask: z.int().min(0).max(64).default(0),
  /** Widths of a task's private layers between its experts and its head. */
  towers: z.array(layerWidth).max(8).default([]),
  /** `perTask`: every id has an embedding for each task, so that nothing is shared before the experts. */
  embeddings: z.enum(['shared', 'perTask']).default('shared'),
});

/** One weight per id and task, no trunk: the baseline that every network has to beat. */
const logisticSchema = z.strictObject({
  /** One weight for each id and task, no trunk. */
  kind: z.literal('logistic'),
  /** Adagrad's learning rate of the weights; a convex model wants a larger one than embeddings do. */
  learningRate: z.number().positive().default(0.05),
});

const networkObjectSchema = z
  .discriminatedUnion('kind', [ncsSchema, expertsSchema, logisticSchema])
  .refine((network) => network.kind !== 'experts' || network.shared + network.perTask > 0, {
    path: ['shared'],
    error: 'a task needs at least one expert',
  })
  .refine((network) => network.kind !== 'ncs' || network.privateEmbeddingWidth <= network.embeddingWidth, {
    path: ['privateEmbeddingWidth'],
    error: 'a task sees no more than embeddingWidth columns',
  });

/** Shape of the network, with every default filled in. */
export type NetworkConfig = z.infer<typeof networkObjectSchema>;
export type NcsNetworkConfig = Extract<NetworkConfig, { kind: 'ncs' }>;
export type ExpertsNetworkConfig = Extract<NetworkConfig, { kind: 'experts' }>;

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
