import { z } from 'zod';
import { MASK_ESTIMATORS } from '../training/maskLearning.ts';

/** Iterative magnitude pruning for each task before the joint training (method section 6). */
const magnitudeSearchSchema = z.strictObject({
  /** Iterative magnitude pruning for each task before the joint training. */
  method: z.literal('imp'),
  /** Prunings per task, T; the search trains each task T + 1 times, and both jointly once for every round. */
  rounds: z.int().min(1).max(30).default(4),
  /** Share of the trunk's connections left after the last round. */
  finalDensity: z.number().gt(0).max(1).default(0.2),
  /** Epochs of one training of the search. */
  epochs: z.int().min(1).default(1),
});
export type MagnitudeSearchConfig = z.infer<typeof magnitudeSearchSchema>;

const densityShare = z.number().gt(0).max(1);

/** Both tasks' masks learned in one joint run (method, appendix C). */
const learnedMasksSchema = z.strictObject({
  /** Both tasks' masks learned in one joint run. */
  method: z.literal('learned'),
  /** Share of the trunk's connections that each task keeps: the same for both, or one for each. */
  density: z
    .union([
      densityShare,
      z.strictObject({
        /** Share that the clicks keep. */
        click: densityShare,
        /** Share that the conversions keep. */
        conversion: densityShare,
      }),
    ])
    .default(0.3),
  /**
   * How a mask gets a gradient. `topD`: the highest scores are kept, the gradient goes straight through.
   * `hardConcrete`: every connection is drawn, a penalty pushes the density down.
   */
  estimator: z.enum(MASK_ESTIMATORS).default('topD'),
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

export const maskSearchSchema = z.discriminatedUnion('method', [magnitudeSearchSchema, learnedMasksSchema]);
export type MaskSearchConfig = z.infer<typeof maskSearchSchema>;

/** What `{"method": ...}` alone means. */
export const maskSearchDefaults = {
  imp: magnitudeSearchSchema.parse({ method: 'imp' }),
  learned: learnedMasksSchema.parse({ method: 'learned' }),
} as const;
