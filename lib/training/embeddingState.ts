import type { ColumnRange, NetworkShape } from '../network/networkShape.ts';
import { EmbeddingLayer, SparseGradient } from './embeddingLayer.ts';
import { type Feeds, inputFeeds } from './feeds.ts';
import { LazyAdagrad, LazyAdam, type SparseOptimiser, type SparseOptimiserState } from './sparseOptimiser.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';

/** The embeddings of a training, [R, E] in one array that is changed in place, and their optimiser. */
export class EmbeddingState {
  /** A view. */
  readonly values: Float32Array;
  readonly #layer: EmbeddingLayer;
  readonly #gradient: SparseGradient;
  readonly #optimiser: SparseOptimiser;

  /** @param initial copied */
  constructor(
    { layout, embeddingWidth }: NetworkShape,
    initial: Float32Array,
    { optimiser, learningRate }: TrainingSettings['embeddings'],
  ) {
    this.values = initial.slice();
    this.#layer = new EmbeddingLayer(layout, embeddingWidth);
    this.#gradient = new SparseGradient(layout.embeddingRowCount, embeddingWidth);
    const Optimiser = optimiser === 'adam' ? LazyAdam : LazyAdagrad;
    this.#optimiser = new Optimiser(initial.length, learningRate);
  }

  /** What the network reads of the chosen rows. */
  feeds({ rows }: TrainingSet, indices: Int32Array): Feeds {
    return inputFeeds(this.#layer, this.values, rows, indices);
  }

  /**
   * One optimiser step.
   * @param fieldGradients dLoss/dFields [B, F, E] of the same rows
   * @param columns that the loss depends on; the others don't move
   */
  learn(
    fieldGradients: Float32Array,
    { rows }: TrainingSet,
    indices: Int32Array,
    columns: ColumnRange,
  ): void {
    this.#layer.scatter(fieldGradients, rows, indices, this.#gradient);
    this.#optimiser.step(this.values, this.#gradient, columns);
  }

  /** Forgets the optimiser's state, as at the start. */
  resetOptimiser(): void {
    this.#optimiser.reset();
  }

  get optimiserState(): SparseOptimiserState {
    return this.#optimiser.state;
  }

  /** @param values and state of a training of the same network and settings; copied */
  restore(values: Float32Array, optimiserState: SparseOptimiserState): void {
    this.values.set(values);
    this.#optimiser.restore(optimiserState);
  }
}
