import { checkProbabilityAndLabel } from './checkLabels.ts';

/** Keeps a certain and wrong prediction finite; about the float32 rounding unit, as scikit-learn does for float32. */
const EPSILON = 1e-7;

/** Mean of -(y ln p + (1 - y) ln(1 - p)) in nats, p clipped to [1e-7, 1 - 1e-7]; y may be soft. */
export class LogLoss {
  #sum = 0;
  #rows = 0;

  /** @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID */
  add(probability: number, label: number): void {
    checkProbabilityAndLabel(probability, label);
    const p = Math.min(1 - EPSILON, Math.max(EPSILON, probability));
    this.#sum -= label * Math.log(p) + (1 - label) * Math.log1p(-p);
    this.#rows++;
  }

  merge(other: LogLoss): void {
    this.#sum += other.#sum;
    this.#rows += other.#rows;
  }

  /** Zero or more; null without rows. */
  compute(): number | null {
    return this.#rows === 0 ? null : this.#sum / this.#rows;
  }
}
