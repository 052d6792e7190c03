import { ProblemsError } from '../base/errors.ts';
import type { LearnedMasksConfig } from '../masks/maskSearchConfig.ts';
import type { ExpertsNetworkConfig, NcsNetworkConfig, NetworkConfig } from '../network/networkConfig.ts';
import { armSettings, type TrainingConfig } from '../recipe/trainingConfig.ts';
import type { EntireSpaceConfig, TrainingSettings } from '../training/trainingSettings.ts';

/** A network of experts with the widths and cross terms of an NCS network; no expert but those in `over`. */
export function expertsConfig(
  { embeddingWidth, cross, hidden }: NcsNetworkConfig,
  over: Partial<ExpertsNetworkConfig>,
): ExpertsNetworkConfig {
  return {
    kind: 'experts',
    embeddingWidth,
    cross,
    hidden,
    shared: 0,
    perTask: 0,
    towers: [],
    embeddings: 'shared',
    ...over,
  };
}

/** Where an arm's masks come from. */
type MaskSource =
  /** Each task's own, by iterative magnitude pruning; the round chosen by joint validation. */
  | { readonly kind: 'imp' }
  | { readonly kind: 'learned'; readonly over?: Partial<LearnedMasksConfig> }
  /** Uniform at the per-layer densities of the reference arm's masks of the same seed. */
  | { readonly kind: 'random' }
  /** One mask for both tasks, pruned by the magnitudes of joint training, at the density of the reference arm's conversions. */
  | { readonly kind: 'jointTicket' };

/** How an arm differs from the config it is compared under. */
export interface Arm {
  readonly description: string;
  /** From the config's network. */
  readonly network?: (config: NcsNetworkConfig) => NetworkConfig;
  readonly masks?: MaskSource;
  /** Two trainings, one per task, with nothing in common; `ownTicket`: each under its own pruned mask. */
  readonly separately?: 'dense' | 'ownTicket';
  /** Conversions learned on all impressions; `replacesConversionLoss` leaves the CTCVR term alone. */
  readonly entireSpace?: EntireSpaceConfig & { readonly replacesConversionLoss?: boolean };
}

/** The default NCS arm: every difference in the report is taken from it. */
export const REFERENCE_ARM = 'ncs';

/**
 * The arms, in the order of the report. All train on the same rows in the same batches with the same stopping rule, and
 * have the config's widths. Where nothing else is said, a network is the config's own, private columns included.
 */
export const ARMS: Readonly<Record<string, Arm>> = {
  [REFERENCE_ARM]: {
    description:
      'Two masks learned in one joint run, then joint training under them from the same start; some embedding columns of each task.',
    masks: { kind: 'learned' },
  },
  'ncs-shared-embeddings': {
    description: 'As ncs, every embedding column shared.',
    network: withSharedEmbeddings,
    masks: { kind: 'learned' },
  },
  'ncs-imp': {
    description:
      "As the paper: each task's mask by iterative magnitude pruning, the round chosen by joint validation, embeddings shared.",
    network: withSharedEmbeddings,
    masks: { kind: 'imp' },
  },
  'ncs-conflict': {
    description: 'As ncs; shared connections on which the gradients disagree go to one task.',
    masks: { kind: 'learned', over: { conflictCosine: -0.1 } },
  },
  'ncs-entire-space': {
    description: 'As ncs, conversions weighted by clipped inverse propensity, plus a CTCVR term.',
    masks: { kind: 'learned' },
    entireSpace: { maxPropensityWeight: 15, ctcvrWeight: 1 },
  },
  'random-masks': {
    description: 'Random masks with the per-layer densities of ncs.',
    masks: { kind: 'random' },
  },
  'private-columns': {
    description: 'The embedding columns of ncs, the whole trunk shared: what ncs owes to its columns alone.',
  },
  'joint-ticket': {
    description: 'One pruned mask for both tasks, as dense as the conversion mask of ncs, embeddings shared.',
    network: withSharedEmbeddings,
    masks: { kind: 'jointTicket' },
  },
  'shared-bottom': {
    description: 'The whole trunk shared: every connection in both masks.',
    network: withSharedEmbeddings,
  },
  'shared-bottom-towers': {
    description: 'The trunk shared but for its last layer, which each task has for itself.',
    network: (config) => expertsConfig(config, { shared: 1, ...lastLayerApart(config) }),
  },
  mmoe: {
    description: 'Three shared experts, a softmax gate per task.',
    network: (config) => expertsConfig(config, { shared: 3 }),
  },
  ple: {
    description: 'A shared expert and one per task, a softmax gate per task.',
    network: (config) => expertsConfig(config, { shared: 1, perTask: 1 }),
  },
  esmm: {
    description: 'Separate networks on shared embeddings, learning pCTR and pCTCVR over all impressions.',
    network: (config) => expertsConfig(config, { shared: 0, perTask: 1 }),
    entireSpace: { maxPropensityWeight: 1, ctcvrWeight: 1, replacesConversionLoss: true },
  },
  'separate-mlps': {
    description: 'Separate networks on shared embeddings.',
    network: (config) => expertsConfig(config, { shared: 0, perTask: 1 }),
  },
  'single-task': {
    description: 'Two models with nothing in common, each chosen by its own metric.',
    network: withSharedEmbeddings,
    separately: 'dense',
  },
  'single-task-ticket': {
    description: 'As single-task, each under its own pruned mask, the round chosen by its own metric.',
    network: withSharedEmbeddings,
    separately: 'ownTicket',
  },
};

/** A task alone, or a trunk that is shared whole, sees as many columns of an id as a task of ncs does. */
function withSharedEmbeddings(config: NcsNetworkConfig): NcsNetworkConfig {
  return { ...config, privateEmbeddingWidth: 0 };
}

/** A trunk of a single layer has nothing to leave apart: its towers get that width once more. */
function lastLayerApart({ hidden }: NcsNetworkConfig): Pick<ExpertsNetworkConfig, 'hidden' | 'towers'> {
  return { hidden: hidden.length > 1 ? hidden.slice(0, -1) : hidden, towers: hidden.slice(-1) };
}

/**
 * The settings that an arm trains with: the config's, its own of the config's `arms` over them, and what makes it this arm.
 * @throws ProblemsError TRAINING_CONFIG_INVALID
 */
export function settingsOfArm(name: string, config: TrainingConfig): TrainingSettings {
  const settings = armSettings(config, name);
  const entireSpace = ARMS[name]!.entireSpace;
  if (entireSpace === undefined) return settings;
  // Joint steps alone would halve its optimiser steps beside those of the other arms, unnoticed.
  if (settings.steps !== 'joint') {
    throw new ProblemsError('TRAINING_CONFIG_INVALID', 'an arm learns conversions from all impressions', [
      `arms.${name}.steps: needs joint steps, since its loss belongs to both tasks; set them for it, or leave it out`,
    ]);
  }
  const { replacesConversionLoss, ...entire } = entireSpace;
  const { click, conversion } = settings.taskWeights;
  const taskWeights = { click, conversion: replacesConversionLoss === true ? 0 : conversion };
  return { ...settings, taskWeights, entireSpace: entire };
}
