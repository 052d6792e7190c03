import { Ncs4cvrError } from '../base/errors.ts';
import { UNKNOWN_CLICK } from '../base/tasks.ts';
import { BinaryMetrics, type BinaryReport } from './binaryMetrics.ts';
import type { UserKey } from './rankedRows.ts';

export type { BinaryReport };

/** B scored impressions. All arrays have length B. */
export interface FunnelBatch {
  /** 0, 1, or UNKNOWN_CLICK: the row counts nowhere but in `rows`. */
  readonly click: ArrayLike<number>;
  /** In [0, 1], NaN or null for unknown; only read where click is 1. */
  readonly conversion: ArrayLike<number | null>;
  /** P(click | impression). */
  readonly pctr: Float32Array;
  /** P(conversion | click). */
  readonly pcvr: Float32Array;
  /** P(click and conversion | impression); pctr * pcvr in float32 when left out. */
  readonly pctcvr?: Float32Array;
  /** Groups rows for GAUC; null for a row without a user. */
  readonly users?: ArrayLike<UserKey | null>;
}

export interface FunnelReport {
  /** Of which `click.rows` have a known click, and `ctcvr.rows` of these no clicked one's unknown conversion. */
  readonly rows: number;
  /** pctr on all rows with a known click. */
  readonly click: BinaryReport;
  /** pcvr on clicked rows with a known conversion. */
  readonly conversion: BinaryReport;
  /** pctcvr on the same rows but clicked ones with an unknown conversion; the label is click * conversion. */
  readonly ctcvr: BinaryReport;
}

/**
 * Metrics of the whole funnel. States merge: parts of the data may be measured apart and merged in their order.
 *
 * A label's rows are kept up to `exactRows` of them: all metrics are exact, in 24 to 48 bytes per impression and half
 * as much per click, plus the distinct users. With more rows the label's state shrinks to 256 KB, its AUC is binned
 * with a bound of its error, and it has no GAUC. Clicked rows are fewer than impressions, so conversions stay exact
 * for longer.
 */
export class FunnelMetrics {
  #rows = 0;
  readonly #click: BinaryMetrics;
  readonly #conversion: BinaryMetrics;
  readonly #ctcvr: BinaryMetrics;

  /** @param exactRows no limit by default, for rows that are in memory anyway */
  constructor(exactRows: number = Number.POSITIVE_INFINITY) {
    this.#click = new BinaryMetrics(exactRows);
    this.#conversion = new BinaryMetrics(exactRows);
    this.#ctcvr = new BinaryMetrics(exactRows);
  }

  /**
   * The state is undefined after an error; start anew.
   * @throws Ncs4cvrError METRIC_LENGTH_MISMATCH, METRIC_LABEL_INVALID, METRIC_SCORE_INVALID
   */
  add({ click, conversion, pctr, pcvr, pctcvr, users }: FunnelBatch): void {
    const rowCount = click.length;
    checkLengths({ click, conversion, pctr, pcvr, pctcvr, users });
    for (let row = 0; row < rowCount; row++) {
      const clicked = click[row]!;
      if (clicked === UNKNOWN_CLICK) continue;
      if (clicked !== 0 && clicked !== 1) throw invalidClick(clicked);
      const user = users?.[row] ?? null;
      this.#click.add(pctr[row]!, clicked, user);
      const converted = clicked === 1 ? (conversion[row] ?? Number.NaN) : 0;
      if (Number.isNaN(converted)) continue;
      if (clicked === 1) this.#conversion.add(pcvr[row]!, converted, user);
      this.#ctcvr.add(pctcvr?.[row] ?? Math.fround(pctr[row]! * pcvr[row]!), converted, user);
    }
    this.#rows += rowCount;
  }

  /** Adds another state's rows after this one's. */
  merge(other: FunnelMetrics): void {
    this.#click.merge(other.#click);
    this.#conversion.merge(other.#conversion);
    this.#ctcvr.merge(other.#ctcvr);
    this.#rows += other.#rows;
  }

  compute(): FunnelReport {
    return {
      rows: this.#rows,
      click: this.#click.compute(),
      conversion: this.#conversion.compute(),
      ctcvr: this.#ctcvr.compute(),
    };
  }
}

function checkLengths(columns: Readonly<Record<string, ArrayLike<unknown> | undefined>>): void {
  const given = Object.entries(columns).filter((entry): entry is [string, ArrayLike<unknown>] => !!entry[1]);
  const rowCount = given[0]![1].length;
  for (const [name, { length }] of given) {
    if (length === rowCount) continue;
    throw new Ncs4cvrError('METRIC_LENGTH_MISMATCH', `'${name}' has another length than 'click'`, {
      expected: `${rowCount} rows`,
      found: `${length} rows`,
    });
  }
}

function invalidClick(found: number): Ncs4cvrError {
  return new Ncs4cvrError('METRIC_LABEL_INVALID', 'a click can not be measured', {
    expected: '0 or 1',
    found: String(found),
  });
}

/** Exact metrics of rows that are in memory, all at once. @throws as FunnelMetrics.add */
export function funnelReport(rows: FunnelBatch): FunnelReport {
  const metrics = new FunnelMetrics();
  metrics.add(rows);
  return metrics.compute();
}
