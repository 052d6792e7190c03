import { checkProbabilityAndLabel } from './checkLabels.ts';
import { MannWhitney } from './rankAuc.ts';

/** Bins of equal width over the log-odds in [-16, 16]: 1/512 each. Probabilities beyond fall into the outer bins. */
const BIN_COUNT = 16_384;
const MAX_LOG_ODDS = 16;

/**
 * AUC of probabilities in constant memory (256 KB), for data that the exact state is too large for. Pairs within a bin
 * count one half; `maxError` bounds by how much that can be off for the rows at hand.
 */
export class BinnedAuc {
  readonly #positives = new Float64Array(BIN_COUNT);
  readonly #negatives = new Float64Array(BIN_COUNT);

  /**
   * @param probability in [0, 1]
   * @param label in [0, 1], see RankedRows
   * @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID
   */
  add(probability: number, label: number): void {
    checkProbabilityAndLabel(probability, label);
    const bin = binOf(probability);
    this.#positives[bin]! += label;
    this.#negatives[bin]! += 1 - label;
  }

  merge(other: BinnedAuc): void {
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      this.#positives[bin]! += other.#positives[bin]!;
      this.#negatives[bin]! += other.#negatives[bin]!;
    }
  }

  /** In [0, 1]; null when one class is absent. */
  compute(): number | null {
    const ranked = new MannWhitney();
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      ranked.addTies(this.#positives[bin]!, this.#negatives[bin]!);
    }
    return ranked.auc;
  }

  /** The exact AUC lies within `compute()` plus or minus this: half the share of pairs that share a bin. Null like it. */
  maxError(): number | null {
    let shared = 0;
    let positives = 0;
    let negatives = 0;
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      shared += this.#positives[bin]! * this.#negatives[bin]!;
      positives += this.#positives[bin]!;
      negatives += this.#negatives[bin]!;
    }
    return positives > 0 && negatives > 0 ? shared / 2 / (positives * negatives) : null;
  }
}

function binOf(probability: number): number {
  const logOdds = Math.log(probability / (1 - probability));
  const bin = Math.floor(((logOdds + MAX_LOG_ODDS) / (2 * MAX_LOG_ODDS)) * BIN_COUNT);
  return Math.min(BIN_COUNT - 1, Math.max(0, bin));
}
