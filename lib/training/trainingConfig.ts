import { z } from 'zod';
import { describeIssue } from '../describeIssue.ts';
import { ProblemsError } from '../errors.ts';
import { featureContractSchema, featureName } from '../features/contract.ts';
import { crossCheckContract } from '../features/crossCheckContract.ts';
import { labelColumnsSchema } from '../features/readLabels.ts';
import { NETWORK_PRESETS, networkConfigSchema } from '../model/networkConfig.ts';

const lossSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bce') }),
  z.strictObject({
    kind: z.literal('focal'),
    alpha: z.number().min(0).max(1).default(0.75),
    gamma: z.number().min(0).default(2),
  }),
  /** Squared error of the probability; for ratio labels such as play rate. */
  z.strictObject({ kind: z.literal('maskedMse') }),
]);
export type LossConfig = z.infer<typeof lossSchema>;

const isoDate = z.iso.date();
const dateRange = z.strictObject({ from: isoDate, to: isoDate });

const splitSchema = z.discriminatedUnion('by', [
  /** Whole partitions `dt=YYYY-MM-DD`, both ends inclusive. */
  z.strictObject({
    by: z.literal('date'),
    train: dateRange,
    validation: dateRange,
    /** What a comparison is reported on. */
    report: dateRange.optional(),
  }),
  /** The last share of the rows, in file order, is for validation. */
  z.strictObject({
    by: z.literal('fraction'),
    validation: z.number().gt(0).lt(1),
    /** A further share behind it, that a comparison is reported on. */
    report: z.number().gt(0).lt(1).optional(),
  }),
]);
export type SplitConfig = z.infer<typeof splitSchema>;

const embeddingsSchema = z.strictObject({
  optimiser: z.enum(['adagrad', 'adam']).default('adagrad'),
  learningRate: z.number().positive().default(0.01),
  /** Standard deviation of the initial values; larger ones cost AUC on real data. */
  initialStandardDeviation: z.number().positive().default(0.01),
  /** Start each further epoch with new embeddings and keep the trunk: ids can't be memorised. */
  reinitialiseEachEpoch: z.boolean().default(false),
});

const trunkSchema = z.strictObject({
  initialisation: z.enum(['xavier_normal', 'he_normal']).default('xavier_normal'),
  /** Factor on the initial weights of the trunk. */
  gain: z.number().positive().default(1),
  /** Adam's learning rate for the trunk and the heads. */
  learningRate: z.number().positive().default(1e-3),
  /** `linear`: the learning rate falls to 0 within every epoch and starts anew in the next. */
  decay: z.enum(['none', 'linear']).default('none'),
});

const entireSpaceSchema = z.strictObject({
  /** Clicked rows count by min(1 / pCTR, this), self-normalised; 1 leaves them equal. */
  maxPropensityWeight: z.number().min(1).default(15),
  /** Factor on the cross-entropy of pCTCVR over all rows. */
  ctcvrWeight: z.number().min(0).default(1),
});
/** Conversions learnt on the entire space of impressions (method, appendix C). */
export type EntireSpaceConfig = z.infer<typeof entireSpaceSchema>;

const settingsSchema = z.strictObject({
  seed: z.int().min(0).default(1),
  epochs: z.int().min(1).max(1000).default(1),
  batchRows: z.int().min(1).max(65_536).default(1024),
  embeddings: embeddingsSchema.prefault({}),
  trunk: trunkSchema.prefault({}),
  /** `joint`: one step on the weighted sum of both losses; `alternating`: a step for each task on every batch. */
  steps: z.enum(['joint', 'alternating']).default('joint'),
  losses: z
    .strictObject({
      click: lossSchema.default({ kind: 'bce' }),
      conversion: lossSchema.default({ kind: 'bce' }),
    })
    .prefault({}),
  taskWeights: z
    .strictObject({ click: z.number().min(0).default(1), conversion: z.number().min(0).default(1) })
    .prefault({}),
  /** Absent: the conversion loss sees clicked rows only. Needs joint steps. */
  entireSpace: entireSpaceSchema.optional(),
  validationsPerEpoch: z.int().min(1).max(100).default(4),
  /** Stop after this many validations without a better one. */
  patience: z.int().min(1).default(8),
  /** Threads of onnxruntime. More than one may change the last bits of the weights. */
  threads: z.int().min(1).max(64).default(1),
});
export type TrainingSettings = z.infer<typeof settingsSchema>;

/** What the authors' public configuration sets (method section 11); a config's own keys go over it. */
const PAPER_PRESET = {
  network: NETWORK_PRESETS.paper,
  training: {
    batchRows: 32,
    embeddings: { optimiser: 'adam', learningRate: 1e-4 },
    trunk: { learningRate: 1e-4 },
    losses: { click: { kind: 'focal' }, conversion: { kind: 'maskedMse' } },
    taskWeights: { click: 1, conversion: 1.5 },
  },
  masks: { method: 'imp' },
} as const;

/** Iterative magnitude pruning for each task before the joint training (method section 6). */
const magnitudeSearchSchema = z.strictObject({
  method: z.literal('imp'),
  /** T: prunings a task; the search trains T + 1 times a task, and once jointly for every round. */
  rounds: z.int().min(1).max(30).default(4),
  /** Share of the trunk's connections left after the last round. */
  finalDensity: z.number().gt(0).max(1).default(0.2),
  /** Epochs of one training of the search. */
  epochs: z.int().min(1).default(1),
});
export type MagnitudeSearchConfig = z.infer<typeof magnitudeSearchSchema>;

const densityShare = z.number().gt(0).max(1);

/** Both tasks' masks learnt in one joint run (method, appendix C). */
const learnedMasksSchema = z.strictObject({
  method: z.literal('learned'),
  /** Share of the trunk's connections that each task keeps: the same for both, or one each. */
  density: z
    .union([densityShare, z.strictObject({ click: densityShare, conversion: densityShare })])
    .default(0.3),
  /**
   * How a mask gets a gradient. `topD`: the highest scores are kept, the gradient goes straight through.
   * `hardConcrete`: every connection is drawn, a penalty pushes the density down.
   */
  estimator: z.enum(['topD', 'hardConcrete']).default('topD'),
  /**
   * How far both tasks keep what they score highest together: 0, each goes by its own scores; 1, both by their mean,
   * which at equal densities is one mask for both.
   */
  sharing: z.number().min(0).max(1).default(0),
  /** Epochs of the run that learns the masks; the joint training under them follows. */
  epochs: z.int().min(1).default(1),
  /** Share of those epochs in which the density falls from 1 to its end. */
  annealing: z.number().gt(0).max(1).default(0.7),
  /**
   * A shared connection whose gradients' cosine between the tasks is below this goes to the task with the higher score;
   * -1 leaves every shared connection shared.
   */
  conflictCosine: z.number().min(-1).max(0).default(-1),
});
export type LearnedMasksConfig = z.infer<typeof learnedMasksSchema>;
export type MaskEstimator = LearnedMasksConfig['estimator'];

const maskSearchSchema = z.discriminatedUnion('method', [magnitudeSearchSchema, learnedMasksSchema]);
export type MaskSearchConfig = z.infer<typeof maskSearchSchema>;

/** What `{"method": ...}` alone means. */
export const maskSearchDefaults = {
  imp: magnitudeSearchSchema.parse({ method: 'imp' }),
  learned: learnedMasksSchema.parse({ method: 'learned' }),
} as const;

const trainingConfigSchema = z.strictObject({
  preset: z.enum(['default', 'paper']).default('default'),
  /** Goes into the bundle and every prediction file; a date and checksum by default. */
  modelVersion: z.string().min(1).optional(),
  contract: featureContractSchema,
  labels: labelColumnsSchema,
  split: splitSchema,
  network: networkConfigSchema.default(() => networkConfigSchema.parse('default')),
  training: settingsSchema.prefault({}),
  /** Absent: every connection is shared. */
  masks: maskSearchSchema.optional(),
  /** By arm of `compare`: training settings that go over the config's own, such as an arm's own tuned gain. */
  arms: z.record(z.string(), z.looseObject({})).optional(),
});

/** A training config with every default and preset filled in. */
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/**
 * Validates a training config document.
 * @throws ProblemsError TRAINING_CONFIG_INVALID listing every problem, the contract's among them
 */
export function parseTrainingConfig(document: unknown, origin: string): TrainingConfig {
  const merged =
    isRecord(document) && document.preset === 'paper' ? merge(paperPreset(document), document) : document;
  const result = trainingConfigSchema.safeParse(merged);
  const problems = [
    ...(result.success
      ? crossCheckConfig(result.data)
      : result.error.issues.flatMap((issue) => describeIssue(issue))),
    ...crossCheckContract(isRecord(document) ? document.contract : undefined).map(
      (problem) => `contract.${problem}`,
    ),
  ];
  if (!result.success || problems.length > 0) {
    throw new ProblemsError('TRAINING_CONFIG_INVALID', 'the training config is invalid', problems, {
      file: origin,
    });
  }
  const { network, training } = result.data;
  if (network.kind !== 'logistic') return result.data;
  return { ...result.data, training: logisticTraining(training, network.learningRate) };
}

/**
 * The settings of an arm: the config's own with the arm's over them.
 * @throws ProblemsError TRAINING_CONFIG_INVALID
 */
export function armSettings({ training, arms }: TrainingConfig, arm: string): TrainingSettings {
  const result = settingsSchema.safeParse(merge(training, arms?.[arm]));
  const problems = result.success
    ? crossCheckSettings(result.data)
    : result.error.issues.flatMap((issue) => describeIssue(issue));
  if (result.success && problems.length === 0) return result.data;
  throw new ProblemsError(
    'TRAINING_CONFIG_INVALID',
    'the settings of an arm are invalid',
    problems.map((problem) => `arms.${arm}.${problem}`),
  );
}

/** Another kind of network has no trunk, so the paper's mask search is no part of its preset. */
function paperPreset({ network }: Readonly<Record<string, unknown>>): object {
  const kind = isRecord(network) ? network.kind : network;
  const { masks, ...others } = PAPER_PRESET;
  return kind === 'logistic' || kind === 'experts' ? others : { masks, ...others };
}

function crossCheckSettings({ entireSpace, steps }: TrainingSettings): string[] {
  if (entireSpace === undefined || steps === 'joint') return [];
  return ['entireSpace: needs joint steps, since its loss belongs to both tasks'];
}

/** What would otherwise end the run only after all data was read, or spoil its metrics silently. */
function crossCheckConfig({ contract, network, split, masks, training }: TrainingConfig): string[] {
  const problems: string[] = [];
  if (masks !== undefined && network.kind !== 'ncs') {
    problems.push(
      `masks: a network of kind '${network.kind}' has no trunk whose connections could be shared`,
    );
  }
  problems.push(...crossCheckSettings(training).map((problem) => `training.${problem}`));
  if (split.by === 'date') {
    const { train, validation, report } = split;
    const ranges = Object.entries({ train, validation, ...(report && { report }) });
    for (const [index, [side, { from, to }]] of ranges.entries()) {
      if (from > to) problems.push(`split.${side}: from ${from} is after to ${to}`);
      for (const [other, range] of ranges.slice(0, index)) {
        if (from <= range.to && range.from <= to) problems.push(`split: ${other} and ${side} share days`);
      }
    }
  }
  const fields = contract.features.filter(({ kind }) => kind !== 'numeric').map(featureName);
  if (fields.length === 0) {
    problems.push('contract.features: the network needs a categorical, bucketed or list feature');
  }
  if (network.kind !== 'logistic') {
    const crossed = network.cross.fields ?? [];
    for (const [index, name] of crossed.entries()) {
      if (!fields.includes(name)) problems.push(`network.cross.fields: no field '${name}' with embeddings`);
      else if (crossed.indexOf(name) < index)
        problems.push(`network.cross.fields: '${name}' is listed twice`);
    }
  }
  return problems;
}

/**
 * A logistic regression has its own optimiser settings, so that it can stand beside a network in the same config
 * as a fair baseline. It doesn't memorise ids as embeddings do and keeps its weights between epochs.
 */
function logisticTraining(training: TrainingSettings, learningRate: number): TrainingSettings {
  return {
    ...training,
    embeddings: {
      ...training.embeddings,
      optimiser: 'adagrad',
      learningRate,
      reinitialiseEachEpoch: false,
    },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` on top of `base`, objects key by key; a `kind` or `method` that differs replaces the whole object. */
function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isRecord(base) || !isRecord(over)) return over;
  for (const key of ['kind', 'method']) {
    if (over[key] !== undefined && over[key] !== base[key]) return over;
  }
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...keys].map((key) => [key, merge(base[key], over[key])]));
}
