import type { RandomStream } from '../base/randomStream.ts';
import { initialiseEmbeddings } from './modelWeights.ts';
import type { TrainingSettings } from './trainingSettings.ts';
import type { TrainingStep } from './trainingStep.ts';

export interface EpochBatch {
  /** From 0. */
  readonly index: number;
  /** Rows of the training set; a copy, so that a step may reorder it. */
  readonly rows: Int32Array;
  /** Factor on the trunk's learning rate at this batch. */
  readonly learningRateScale: number;
}

export function stepsPerEpoch(rowCount: number, { batchRows }: TrainingSettings): number {
  return Math.ceil(rowCount / batchRows);
}

/** Steps of an epoch, from 1, after which to validate: evenly spread, the last one always among them. */
export function validationSteps(stepsPerEpoch: number, validationsPerEpoch: number): ReadonlySet<number> {
  return new Set(
    Array.from({ length: validationsPerEpoch }, (_, i) =>
      Math.max(1, Math.round(((i + 1) * stepsPerEpoch) / validationsPerEpoch)),
    ),
  );
}

/**
 * Begins an epoch and gives its batches: fresh embeddings in every epoch but the first if the settings ask for
 * them, rows in a new order. `random` is drawn from before the first batch, and not again.
 */
export function* epochBatches(
  step: TrainingStep,
  settings: TrainingSettings,
  epoch: number,
  order: Int32Array,
  random: RandomStream,
): Generator<EpochBatch> {
  const { batchRows, embeddings, trunk } = settings;
  if (epoch > 0 && embeddings.reinitialiseEachEpoch) {
    step.resetEmbeddings((values, shape) => {
      initialiseEmbeddings(values, shape, embeddings.initialStandardDeviation, random);
    });
  }
  random.shuffle(order);
  const count = stepsPerEpoch(order.length, settings);
  for (let index = 0; index < count; index++) {
    yield {
      index,
      rows: order.slice(index * batchRows, (index + 1) * batchRows),
      learningRateScale: trunk.decay === 'linear' ? 1 - index / count : 1,
    };
  }
}
