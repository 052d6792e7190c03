import type { ColumnRange } from '../network/networkShape.ts';
import { adamStepSize } from '../onnx/adam.ts';
import type { SparseGradient } from './embeddingLayer.ts';

/** Updates only the embedding rows a step touched; state of the other rows doesn't decay ("lazy"). */
export interface SparseOptimiser {
  /**
   * Applies and clears the gradient.
   * @param columns all by default; momentum doesn't move the others, nor does their state change
   */
  step(embeddings: Float32Array, gradient: SparseGradient, columns?: ColumnRange): void;
  /** Forgets all state, as at the start. */
  reset(): void;
  /** All state; views, by name. */
  readonly state: SparseOptimiserState;
  /** Takes on a state of the same size. */
  restore(state: SparseOptimiserState): void;
}

export interface SparseOptimiserState {
  readonly arrays: readonly Float32Array[];
  readonly steps: number;
}

/** Gradients of a mean loss are tiny; a larger epsilon would swallow the first steps of a rare id. */
const EPSILON = 1e-8;

/** Adagrad (Duchi et al. 2011): s += g^2; w -= learningRate g / (sqrt(s) + epsilon). */
export class LazyAdagrad implements SparseOptimiser {
  readonly #learningRate: number;
  readonly #squares: Float32Array;

  constructor(size: number, learningRate: number) {
    this.#learningRate = learningRate;
    this.#squares = new Float32Array(size);
  }

  step(embeddings: Float32Array, gradient: SparseGradient, columns?: ColumnRange): void {
    const { values } = gradient;
    const squares = this.#squares;
    const learningRate = this.#learningRate;
    gradient.consume((start, end) => {
      for (let i = start; i < end; i++) {
        const g = values[i]!;
        const square = squares[i]! + g * g;
        squares[i] = square;
        embeddings[i]! -= (learningRate * g) / (Math.sqrt(square) + EPSILON);
      }
    }, columns);
  }

  reset(): void {
    this.#squares.fill(0);
  }

  get state(): SparseOptimiserState {
    return { arrays: [this.#squares], steps: 0 };
  }

  restore({ arrays }: SparseOptimiserState): void {
    this.#squares.set(arrays[0]!);
  }
}

/** Adam on touched rows, with one step counter for all rows as bias correction. */
export class LazyAdam implements SparseOptimiser {
  static readonly #beta1 = 0.9;
  static readonly #beta2 = 0.999;
  readonly #learningRate: number;
  readonly #firstMoments: Float32Array;
  readonly #secondMoments: Float32Array;
  #steps = 0;

  constructor(size: number, learningRate: number) {
    this.#learningRate = learningRate;
    this.#firstMoments = new Float32Array(size);
    this.#secondMoments = new Float32Array(size);
  }

  step(embeddings: Float32Array, gradient: SparseGradient, columns?: ColumnRange): void {
    const { values } = gradient;
    const beta1 = LazyAdam.#beta1;
    const beta2 = LazyAdam.#beta2;
    const stepSize = adamStepSize(this.#learningRate, ++this.#steps, { beta1, beta2 });
    const first = this.#firstMoments;
    const second = this.#secondMoments;
    gradient.consume((start, end) => {
      for (let i = start; i < end; i++) {
        const g = values[i]!;
        const m = beta1 * first[i]! + (1 - beta1) * g;
        const v = beta2 * second[i]! + (1 - beta2) * g * g;
        first[i] = m;
        second[i] = v;
        embeddings[i]! -= (stepSize * m) / (Math.sqrt(v) + EPSILON);
      }
    }, columns);
  }

  reset(): void {
    this.#firstMoments.fill(0);
    this.#secondMoments.fill(0);
    this.#steps = 0;
  }

  get state(): SparseOptimiserState {
    return { arrays: [this.#firstMoments, this.#secondMoments], steps: this.#steps };
  }

  restore({ arrays, steps }: SparseOptimiserState): void {
    this.#firstMoments.set(arrays[0]!);
    this.#secondMoments.set(arrays[1]!);
    this.#steps = steps;
  }
}
