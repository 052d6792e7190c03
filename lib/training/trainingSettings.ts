import { z } from 'zod';
import { TASKS } from '../base/tasks.ts';

const lossSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    /** Binary cross-entropy. */
    kind: z.literal('bce'),
  }),
  z.strictObject({
    /** Focal loss, whose scores aren't calibrated probabilities. */
    kind: z.literal('focal'),
    /** Weight of positive rows; negative ones have 1 less this. */
    alpha: z.number().min(0).max(1).default(0.75),
    /** How strongly rows that are right already are damped. */
    gamma: z.number().min(0).default(2),
  }),
  z.strictObject({
    /** Squared error of the probability, for shares such as a play rate; of conversions, of rows with a label above 0 alone. */
    kind: z.literal('maskedMse'),
  }),
]);
export type LossConfig = z.infer<typeof lossSchema>;

const embeddingsSchema = z.strictObject({
  /** Both are lazy: only rows that a batch uses are touched. */
  optimiser: z.enum(['adagrad', 'adam']).default('adagrad'),
  /** Of that optimiser. */
  learningRate: z.number().positive().default(0.01),
  /** Standard deviation of the initial values; larger ones cost AUC on real data. */
  initialStandardDeviation: z.number().positive().default(0.01),
  /** Start each further epoch with new embeddings and keep the trunk: ids can't be memorised. */
  reinitialiseEachEpoch: z.boolean().default(false),
});

const trunkSchema = z.strictObject({
  /** Of the trunk's weights, truncated at two standard deviations. */
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
/** Conversions learned on the entire space of impressions (method, appendix C). */
export type EntireSpaceConfig = z.infer<typeof entireSpaceSchema>;

export const trainingSettingsSchema = z.strictObject({
  /** The same seed gives the same weights bit for bit on one machine with one thread. */
  seed: z.int().min(0).default(1),
  /** Passes over the training rows. */
  epochs: z.int().min(1).max(1000).default(1),
  /** Rows of a step. */
  batchRows: z.int().min(1).max(65_536).default(1024),
  embeddings: embeddingsSchema.prefault({}),
  trunk: trunkSchema.prefault({}),
  /** `joint`: one step on the weighted sum of both losses; `alternating`: a step for each task on every batch. */
  steps: z.enum(['joint', 'alternating']).default('joint'),
  losses: z
    .strictObject({
      /** Of the clicks, over all rows. */
      click: lossSchema.default({ kind: 'bce' }),
      /** Of the conversions, over clicked rows. */
      conversion: lossSchema.default({ kind: 'bce' }),
    })
    .prefault({}),
  taskWeights: z
    .strictObject({
      /** Factor on the loss of the clicks; 0 takes an entire space that teaches them. */
      click: z.number().min(0).default(1),
      /** Factor on the loss of the conversions; 0 takes an entire space that teaches them. */
      conversion: z.number().min(0).default(1),
    })
    .prefault({}),
  /** Learns conversions from all impressions; without it the loss sees clicked rows only. Needs joint steps. */
  entireSpace: entireSpaceSchema.optional(),
  /** How often the model is measured on the validation rows. */
  validationsPerEpoch: z.int().min(1).max(100).default(4),
  /** Stop after this many validations without a better one. */
  patience: z.int().min(1).default(8),
  /** Threads of ONNX Runtime. More than one may change the last bits of the weights. */
  threads: z.int().min(1).max(64).default(1),
});
export type TrainingSettings = z.infer<typeof trainingSettingsSchema>;

/** Every problem of settings that are each valid alone. */
export function crossCheckSettings({ entireSpace, steps, taskWeights }: TrainingSettings): string[] {
  const problems: string[] = [];
  if (entireSpace !== undefined && steps !== 'joint') {
    problems.push('entireSpace: needs joint steps, since its loss belongs to both tasks');
  }
  // The scores of such a task would be those of a trunk that knows nothing of it.
  const learnsFromProduct = (entireSpace?.ctcvrWeight ?? 0) > 0;
  for (const task of TASKS) {
    if (taskWeights[task] > 0 || learnsFromProduct) continue;
    problems.push(
      `taskWeights.${task}: with 0, and without entireSpace.ctcvrWeight, ${task}s are never learned`,
    );
  }
  return problems;
}
