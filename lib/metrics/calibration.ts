import { checkProbabilityAndLabel } from './checkLabels.ts';

const BIN_COUNT = 15;

export interface CalibrationReport {
  /** sum(p) / sum(y): 1 is calibrated, above 1 predicts too much. Null when no label is above 0. */
  readonly ratio: number | null;
  /** Expected calibration error in [0, 1]. Null without rows. */
  readonly ece: number | null;
}

/**
 * Calibration ratio and ECE with 15 equal-width bins (Guo et al. 2017, arXiv:1706.04599, eq. 3):
 * sum over bins of (rows of the bin / rows) |mean p - mean y|. Rare events leave most bins empty: read both numbers.
 */
export class Calibration {
  #rows = 0;
  /** Of the rows of each bin of p: [k/15, (k+1)/15), the last one closed. */
  readonly #probabilitySums = new Float64Array(BIN_COUNT);
  readonly #labelSums = new Float64Array(BIN_COUNT);

  /** @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID */
  add(probability: number, label: number): void {
    checkProbabilityAndLabel(probability, label);
    const bin = Math.min(BIN_COUNT - 1, Math.floor(probability * BIN_COUNT));
    this.#rows++;
    this.#probabilitySums[bin]! += probability;
    this.#labelSums[bin]! += label;
  }

  merge(other: Calibration): void {
    this.#rows += other.#rows;
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      this.#probabilitySums[bin]! += other.#probabilitySums[bin]!;
      this.#labelSums[bin]! += other.#labelSums[bin]!;
    }
  }

  compute(): CalibrationReport {
    let probabilitySum = 0;
    let labelSum = 0;
    let gapSum = 0;
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      probabilitySum += this.#probabilitySums[bin]!;
      labelSum += this.#labelSums[bin]!;
      // (n / rows) |sum p / n - sum y / n|: the bin's own row count cancels.
      gapSum += Math.abs(this.#probabilitySums[bin]! - this.#labelSums[bin]!);
    }
    return {
      ratio: labelSum > 0 ? probabilitySum / labelSum : null,
      ece: this.#rows > 0 ? gapSum / this.#rows : null,
    };
  }
}
