import type { ModelWeights } from '../network/networkShape.ts';
import { copyWeights } from './modelWeights.ts';
import type { Validation } from './validation.ts';

/** Everything that decides what comes of the validations to come. */
export interface ValidationState {
  readonly history: readonly Validation[];
  /** Undefined before the first validation. */
  readonly best: { readonly validation: Validation; readonly weights: ModelWeights } | undefined;
  /** How many validations have come after the best one. */
  readonly sinceBest: number;
}

/** The validations of one training, and the weights of the best; of equal scores, the first. */
export class BestValidation {
  readonly #patience: number;
  readonly #history: Validation[];
  #best: ValidationState['best'];
  #sinceBest: number;

  /** @param patience validations without a better one after which training stops */
  constructor(
    patience: number,
    { history, best, sinceBest }: ValidationState = { history: [], best: undefined, sinceBest: 0 },
  ) {
    this.#patience = patience;
    this.#history = [...history];
    this.#best = best;
    this.#sinceBest = sinceBest;
  }

  /** @param weights that were validated; copied if they are the best so far */
  add(validation: Validation, weights: ModelWeights): void {
    this.#history.push(validation);
    this.#sinceBest++;
    const isBetter = this.#best === undefined || validation.score > this.#best.validation.score;
    if (!isBetter) return;
    this.#best = { validation, weights: copyWeights(weights) };
    this.#sinceBest = 0;
  }

  get isStale(): boolean {
    return this.#sinceBest >= this.#patience;
  }

  get state(): ValidationState {
    return { history: this.#history, best: this.#best, sinceBest: this.#sinceBest };
  }
}
