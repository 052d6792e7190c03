import { checkScoreAndLabel, checkState } from './checkLabels.ts';
import { GrowableArray } from './growableArray.ts';
import { scoreOrder, sortedAuc } from './rankAuc.ts';

/** What `Auc.toJSON` gives: base64 of float32 arrays. */
export interface AucJson {
  readonly scores: string;
  readonly labels: string;
}

/**
 * Exact AUC, ties by mid-ranks. Holds 8 to 16 bytes a row, 12 more while computing. Scores are compared as float32.
 * A soft label y in [0, 1] counts as y positive and 1 - y negative rows.
 */
export class Auc {
  readonly #scores = GrowableArray.float32();
  readonly #labels = GrowableArray.float32();

  /** @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID */
  add(score: number, label: number): void {
    checkScoreAndLabel(score, label);
    this.#scores.push(score);
    this.#labels.push(label);
  }

  merge(other: Auc): void {
    this.#scores.append(other.#scores);
    this.#labels.append(other.#labels);
  }

  /** In [0, 1]; null when one class is absent. */
  compute(): number | null {
    const scores = this.#scores.view();
    return sortedAuc(scoreOrder(scores), 0, scores.length, scores, this.#labels.view());
  }

  toJSON(): AucJson {
    return { scores: this.#scores.toJSON(), labels: this.#labels.toJSON() };
  }

  /** @throws Ncs4cvrError METRIC_STATE_INVALID */
  static fromJSON({ scores, labels }: AucJson): Auc {
    const auc = new Auc();
    auc.#scores.appendJson(scores);
    auc.#labels.appendJson(labels);
    checkState(auc.#scores.length === auc.#labels.length, 'as many labels as scores');
    return auc;
  }
}
