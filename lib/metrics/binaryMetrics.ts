import { BinnedAuc } from './binnedAuc.ts';
import { Calibration } from './calibration.ts';
import { checkProbabilityAndLabel } from './checkLabels.ts';
import { LogLoss } from './logLoss.ts';
import { RankedRows, type UserKey } from './rankedRows.ts';

/** Metrics of one binary label; null where undefined (no rows, one class absent, no users). */
export interface BinaryReport {
  readonly rows: number;
  readonly auc: number | null;
  /** Present when the AUC is binned: the exact one is at most this far from it, in [0, 0.5]. Null like it. */
  readonly aucError?: number | null;
  /** Per-user AUC weighted by rows. */
  readonly gauc: number | null;
  /** Present when rows have users and GAUC is null because there are too many rows to keep: why, in words. */
  readonly gaucRefusal?: string;
  /** Nats. */
  readonly logLoss: number | null;
  /** sum(p) / sum(y). */
  readonly calibration: number | null;
  /** Expected calibration error, 15 bins of equal width. */
  readonly ece: number | null;
}

/**
 * All metrics of one label over the same rows. Up to `exactRows` rows are kept, and every metric is exact; one row more
 * and they are exchanged for bins and sums of constant size, which bound the AUC's error and know no users.
 *
 * A state that still keeps its rows is merged row by row. Merging such states in order therefore gives the same bits as
 * adding their rows to one state, whether that one keeps them or not; sums of two states differ by rounding.
 */
export class BinaryMetrics {
  readonly #exactRows: number;
  #rowCount = 0;
  #hasUsers = false;
  #ranked: RankedRows | BinnedAuc = new RankedRows();
  readonly #logLoss = new LogLoss();
  readonly #calibration = new Calibration();

  /** @param exactRows 0 or more; may be infinite */
  constructor(exactRows: number) {
    this.#exactRows = exactRows;
  }

  /**
   * @param probability in [0, 1]; it and the label are rounded to float32
   * @param user null for a row that counts everywhere but in GAUC
   * @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID
   */
  add(probability: number, label: number, user: UserKey | null): void {
    checkProbabilityAndLabel(probability, label);
    const [score, rounded] = [Math.fround(probability), Math.fround(label)];
    if (user !== null) this.#hasUsers = true;
    const ranked = this.#rankedFor(1);
    if (ranked instanceof RankedRows) ranked.add(score, rounded, user);
    else ranked.add(score, rounded);
    this.#sum(score, rounded);
  }

  /** Adds another state's rows after this one's. */
  merge(other: BinaryMetrics): void {
    this.#hasUsers ||= other.#hasUsers;
    const rows = other.#ranked;
    if (rows instanceof BinnedAuc) {
      this.#binned().merge(rows);
      this.#logLoss.merge(other.#logLoss);
      this.#calibration.merge(other.#calibration);
      this.#rowCount += other.#rowCount;
      return;
    }
    const ranked = this.#rankedFor(rows.length);
    if (ranked instanceof RankedRows) ranked.append(rows);
    else addRows(ranked, rows);
    const { scores, labels } = rows;
    for (let row = 0; row < scores.length; row++) this.#sum(scores[row]!, labels[row]!);
  }

  compute(): BinaryReport {
    const { ratio, ece } = this.#calibration.compute();
    return {
      rows: this.#rowCount,
      ...this.#rankMetrics(),
      logLoss: this.#logLoss.compute(),
      calibration: ratio,
      ece,
    };
  }

  #rankMetrics(): Pick<BinaryReport, 'auc' | 'aucError' | 'gauc' | 'gaucRefusal'> {
    const ranked = this.#ranked;
    if (ranked instanceof RankedRows) return ranked.compute();
    return {
      auc: ranked.compute(),
      aucError: ranked.maxError(),
      gauc: null,
      ...(this.#hasUsers && {
        gaucRefusal: `the rows of each user are kept up to ${this.#exactRows} rows only`,
      }),
    };
  }

  /** What ranks the rows once `more` of them have come: what ranked them so far, unless they get too many to keep. */
  #rankedFor(more: number): RankedRows | BinnedAuc {
    return this.#rowCount + more > this.#exactRows ? this.#binned() : this.#ranked;
  }

  #binned(): BinnedAuc {
    if (this.#ranked instanceof RankedRows) {
      const binned = new BinnedAuc();
      addRows(binned, this.#ranked);
      this.#ranked = binned;
    }
    return this.#ranked;
  }

  #sum(score: number, label: number): void {
    this.#rowCount++;
    this.#logLoss.add(score, label);
    this.#calibration.add(score, label);
  }
}

function addRows(binned: BinnedAuc, { scores, labels }: RankedRows): void {
  for (let row = 0; row < scores.length; row++) binned.add(scores[row]!, labels[row]!);
}
