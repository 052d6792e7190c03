import { Ncs4cvrError } from '../base/errors.ts';
import { Auc, type AucJson } from './auc.ts';
import { BinnedAuc, type BinnedAucJson } from './binnedAuc.ts';
import { Calibration, type CalibrationJson } from './calibration.ts';
import { Gauc, type GaucJson, type UserKey } from './gauc.ts';
import { LogLoss, type LogLossJson } from './logLoss.ts';

export type AucKind = 'exact' | 'binned';

/** Metrics of one binary task; null where undefined (no rows, one class absent, no users). */
export interface BinaryReport {
  readonly rows: number;
  readonly auc: number | null;
  /** Per-user AUC weighted by rows. */
  readonly gauc: number | null;
  /** Nats. */
  readonly logLoss: number | null;
  /** sum(p) / sum(y). */
  readonly calibration: number | null;
  /** Expected calibration error, 15 bins of equal width. */
  readonly ece: number | null;
}

export interface BinaryMetricsJson {
  readonly rows: number;
  readonly auc: { readonly exact: AucJson } | { readonly binned: BinnedAucJson };
  readonly gauc: GaucJson;
  readonly logLoss: LogLossJson;
  readonly calibration: CalibrationJson;
}

/** All metrics of one task over the same rows. */
export class BinaryMetrics {
  #rows = 0;
  readonly #auc: Auc | BinnedAuc;
  readonly #gauc: Gauc;
  readonly #logLoss: LogLoss;
  readonly #calibration: Calibration;

  private constructor(auc: Auc | BinnedAuc, gauc: Gauc, logLoss: LogLoss, calibration: Calibration) {
    this.#auc = auc;
    this.#gauc = gauc;
    this.#logLoss = logLoss;
    this.#calibration = calibration;
  }

  static create(aucKind: AucKind): BinaryMetrics {
    const auc = aucKind === 'exact' ? new Auc() : new BinnedAuc();
    return new BinaryMetrics(auc, new Gauc(), new LogLoss(), new Calibration());
  }

  /** A row without a user counts everywhere but in GAUC. */
  add(probability: number, label: number, user: UserKey | null): void {
    this.#rows++;
    this.#auc.add(probability, label);
    if (user !== null) this.#gauc.add(user, probability, label);
    this.#logLoss.add(probability, label);
    this.#calibration.add(probability, label);
  }

  merge(other: BinaryMetrics): void {
    if (this.#auc instanceof Auc && other.#auc instanceof Auc) this.#auc.merge(other.#auc);
    else if (this.#auc instanceof BinnedAuc && other.#auc instanceof BinnedAuc) this.#auc.merge(other.#auc);
    else {
      throw new Ncs4cvrError('METRIC_STATE_INVALID', 'an exact and a binned AUC can not be merged');
    }
    this.#rows += other.#rows;
    this.#gauc.merge(other.#gauc);
    this.#logLoss.merge(other.#logLoss);
    this.#calibration.merge(other.#calibration);
  }

  compute(): BinaryReport {
    const { ratio, ece } = this.#calibration.compute();
    return {
      rows: this.#rows,
      auc: this.#auc.compute(),
      gauc: this.#gauc.compute(),
      logLoss: this.#logLoss.compute(),
      calibration: ratio,
      ece,
    };
  }

  toJSON(): BinaryMetricsJson {
    return {
      rows: this.#rows,
      auc: this.#auc instanceof Auc ? { exact: this.#auc.toJSON() } : { binned: this.#auc.toJSON() },
      gauc: this.#gauc.toJSON(),
      logLoss: this.#logLoss.toJSON(),
      calibration: this.#calibration.toJSON(),
    };
  }

  static fromJSON(json: BinaryMetricsJson): BinaryMetrics {
    const metrics = new BinaryMetrics(
      'exact' in json.auc ? Auc.fromJSON(json.auc.exact) : BinnedAuc.fromJSON(json.auc.binned),
      Gauc.fromJSON(json.gauc),
      LogLoss.fromJSON(json.logLoss),
      Calibration.fromJSON(json.calibration),
    );
    metrics.#rows = json.rows;
    return metrics;
  }
}
