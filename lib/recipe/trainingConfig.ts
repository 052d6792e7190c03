import { z } from 'zod';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { isRecord, parseDocument } from '../base/jsonDocument.ts';
import { featureContractSchema, featureName } from '../features/contract.ts';
import { crossCheckContract } from '../features/crossCheckContract.ts';
import { labelColumnsSchema } from '../features/readLabels.ts';
import { parsePartitionLayout } from '../job/partitionLayout.ts';
import { maskSearchSchema } from '../masks/maskSearchConfig.ts';
import { NETWORK_PRESETS, networkConfigSchema } from '../network/networkConfig.ts';
import type { TrainingSettings } from '../training/trainingSettings.ts';
import { crossCheckSettings, trainingSettingsSchema } from '../training/trainingSettings.ts';
import { refuseLabelColumns } from './refuseLeaks.ts';

const isoDate = z.iso.date();
const dateRange = z.strictObject({
  /** The first day. */
  from: isoDate,
  /** The last day. */
  to: isoDate,
});

function isLayoutOfDays({ value, issues }: z.core.ParsePayload<string>): void {
  let problem: string | undefined;
  try {
    if (!parsePartitionLayout(value).hasDay) problem = 'expected keys that name a day, such as dt=%Y-%m-%d';
  } catch (error) {
    problem = messageOf(error);
  }
  if (problem !== undefined) issues.push({ code: 'custom', message: problem, input: value });
}

/** Which rows are for what. */
export const splitSchema = z.discriminatedUnion('by', [
  z.strictObject({
    /** Whole partitions by their days. */
    by: z.literal('date'),
    /** Keys of the data's folders in order, as in a job document; `dt=%Y-%m-%d` by default. */
    partitions: z.string().check(isLayoutOfDays).optional(),
    /** Names of the shards that count, as paths below their partition, as in a job document. All count by default. */
    shardPattern: z.string().min(1).optional(),
    /** Days to train on. */
    train: dateRange,
    /** Days to choose by, after those. */
    validation: dateRange,
    /** Days that `compare` reports on, after both; nothing is trained or chosen on them. */
    report: dateRange.optional(),
  }),
  z.strictObject({
    /** Shares of the rows, in the order of the files. */
    by: z.literal('fraction'),
    /** Names of the shards that count, as paths below the data's folder. All count by default. */
    shardPattern: z.string().min(1).optional(),
    /** The last share of the rows is what is chosen by. */
    validation: z.number().gt(0).lt(1),
    /** A further share behind it, that `compare` reports on. */
    report: z.number().gt(0).lt(1).optional(),
  }),
]);
export type SplitConfig = z.infer<typeof splitSchema>;

/**
 * The split that a bundle was trained on, from what its manifest holds of the config.
 * @throws ProblemsError TRAINING_CONFIG_INVALID
 */
export function recordedSplit(config: Readonly<Record<string, unknown>>, origin: string): SplitConfig {
  return parseDocument(config.split, splitSchema, {
    code: 'TRAINING_CONFIG_INVALID',
    summary: "the bundle's record of its split is invalid",
    file: origin,
    path: 'training.config.split',
  });
}

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

/** @internal exported for the reference of documents */
export const trainingConfigSchema = z.strictObject({
  /** `paper`: the authors' network, losses, task weights, optimiser, batch and mask search; the config's own keys go over it. */
  preset: z.enum(['default', 'paper']).default('default'),
  /** What the bundle and prediction files call the model; a date and checksum by default. */
  modelVersion: z.string().min(1).optional(),
  /** What the model reads, not yet fitted. */
  contract: featureContractSchema,
  labels: labelColumnsSchema,
  /** Categorical or bucketed features, ten at most, by whose values a bundle's reference splits the mean scores. */
  slices: z.array(z.string()).max(10).default([]),
  /** Names of features that may hold or tell a label; without them a training with such a feature is refused. */
  allowLeak: z.array(z.string().min(1)).optional(),
  /** Which rows train and which choose. */
  split: splitSchema,
  /** A network by its name (`default`: trunk of 256, 128 and 64; `paper`: 512, 256 and 128; `logistic`), or spelt out. */
  network: networkConfigSchema.default(() => networkConfigSchema.parse('default')),
  training: trainingSettingsSchema.prefault({}),
  /** How each task's mask is found; every connection is shared without it. */
  masks: maskSearchSchema.optional(),
  /** By arm of `compare`: training settings that go over the config's own, such as an arm's own tuned gain. */
  arms: z.record(z.string(), z.looseObject({})).optional(),
});

/** A training config with every default and preset filled in. */
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/** A training config as it is written: keys with a default may be left out. */
export type TrainingConfigInput = Readonly<z.input<typeof trainingConfigSchema>>;

/**
 * Validates a training config document.
 * @throws ProblemsError TRAINING_CONFIG_INVALID listing every problem, the contract's among them; TRAINING_LEAK for
 * features that read a label's column
 * @throws Ncs4cvrError TRAINING_SPLIT_ORDER for days to validate or report on before those to train on
 */
export function parseTrainingConfig(document: unknown, origin: string): TrainingConfig {
  const merged =
    isRecord(document) && document.preset === 'paper' ? merge(paperPreset(document), document) : document;
  const config = parseDocument(merged, trainingConfigSchema, {
    code: 'TRAINING_CONFIG_INVALID',
    summary: 'the training config is invalid',
    file: origin,
    crossCheck: (valid) => [
      ...(valid === undefined ? [] : crossCheckConfig(valid)),
      ...crossCheckContract(isRecord(document) ? document.contract : undefined).map(
        (problem) => `contract.${problem}`,
      ),
    ],
  });
  refuseUnordered(config.split, origin);
  refuseLabelColumns(config, origin);
  const { network, training } = config;
  if (network.kind !== 'logistic') return config;
  return { ...config, training: logisticTraining(training, network.learningRate) };
}

/**
 * The settings of an arm: the config's own with the arm's over them.
 * @throws ProblemsError TRAINING_CONFIG_INVALID
 */
export function armSettings({ training, arms }: TrainingConfig, arm: string): TrainingSettings {
  return parseDocument(merge(training, arms?.[arm]), trainingSettingsSchema, {
    code: 'TRAINING_CONFIG_INVALID',
    summary: 'the settings of an arm are invalid',
    path: `arms.${arm}`,
    crossCheck: (settings) => (settings === undefined ? [] : crossCheckSettings(settings)),
  });
}

/** Another kind of network has no trunk, so the paper's mask search is no part of its preset. */
function paperPreset({ network }: Readonly<Record<string, unknown>>): object {
  const kind = isRecord(network) ? network.kind : network;
  const { masks, ...others } = PAPER_PRESET;
  return kind === 'logistic' || kind === 'experts' ? others : { masks, ...others };
}

/** What would otherwise end the run only after all data was read, or spoil its metrics silently. */
function crossCheckConfig(config: TrainingConfig): string[] {
  const { contract, labels, allowLeak = [], network, slices, split, masks, training } = config;
  const problems: string[] = [];
  if (labels.matureAfter !== undefined && split.by !== 'date') {
    problems.push('labels.matureAfter: needs a split by date, whose folders say how old a row is');
  }
  const names = contract.features.map(featureName);
  for (const name of allowLeak) if (!names.includes(name)) problems.push(`allowLeak: no feature '${name}'`);
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
  const singles = contract.features.filter(({ kind }) => kind === 'categorical' || kind === 'bucketed');
  const sliceable = singles.map(featureName);
  for (const [index, name] of slices.entries()) {
    if (!sliceable.includes(name)) problems.push(`slices: no categorical or bucketed feature '${name}'`);
    else if (slices.indexOf(name) < index) problems.push(`slices: '${name}' is listed twice`);
  }
  const fields = contract.features.filter(({ kind }) => kind !== 'numeric').map(featureName);
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
 * A model that is trained on days after those it is judged by has seen their future: trends, and often the same users'
 * later behaviour. Shared days are problems of their own.
 */
function refuseUnordered(split: SplitConfig, file: string): void {
  if (split.by !== 'date') return;
  const { train, validation, report } = split;
  const sides = [
    ['train', train],
    ['validation', validation],
    ...(report === undefined ? [] : [['report', report] as const]),
  ] as const;
  for (const [index, [name, { from, to }]] of sides.entries()) {
    const earlier = sides[index - 1];
    if (earlier === undefined || earlier[1].to < from) continue;
    throw new Ncs4cvrError('TRAINING_SPLIT_ORDER', 'the days of the split are not in the order of time', {
      file,
      expected: `split.${name} to begin after split.${earlier[0]} ends on ${earlier[1].to}`,
      found: `${from} to ${to}`,
    });
  }
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
