import { rankAuc } from '../metrics/rankAuc.ts';
import type { ColumnSample, SampledValue } from './columnSample.ts';

/** What a column tells of a label alone. */
export interface LabelTold {
  /** Of its values ranked by the label's mean, learned on every other row and measured on the rest; null where undefined. */
  readonly auc: number | null;
  /** Each row whose value isn't the column's smallest one has the label: an outcome, such as a like beside a click. */
  readonly isPartOf: boolean;
}

const FEWEST_ROWS = 20;
const QUANTILES = 20;

/** @param label 0, 1 or null per row */
export function tellsLabel(column: ColumnSample, label: readonly (SampledValue | null)[]): LabelTold {
  const groups = groupsOf(column);
  const sums = new Map<SampledValue, { rows: number; positive: number }>();
  let positives = 0;
  let known = 0;
  for (let row = 0; row < label.length; row += 2) {
    if (label[row] === null) continue;
    const sum = sums.get(groups[row]!) ?? { rows: 0, positive: 0 };
    sum.rows++;
    sum.positive += Number(label[row]);
    positives += Number(label[row]);
    known++;
    sums.set(groups[row]!, sum);
  }
  const mean = known === 0 ? 0 : positives / known;
  // Ten rows of the mean beside each value's own: one that was seen once says little.
  const scoreOf = (group: SampledValue) => {
    const { rows, positive } = sums.get(group) ?? { rows: 0, positive: 0 };
    return (positive + 10 * mean) / (rows + 10);
  };
  const judged = label.flatMap((value, row) => (row % 2 === 1 && value !== null ? [row] : []));
  const scores = Float32Array.from(judged, (row) => scoreOf(groups[row]!));
  const labels = Float32Array.from(judged, (row) => Number(label[row]));
  return { auc: rankAuc(scores, labels), isPartOf: isPartOf(column, label) };
}

/**
 * Numbers of many values by their quantiles, everything else by its value. The smallest number is a group of its own: of
 * what comes after a rare event, such as revenue, nearly all rows have it.
 */
function groupsOf({ values, counts, kind }: ColumnSample): SampledValue[] {
  const isRanked = kind === 'float' || (kind === 'integer' && counts.size > 1000);
  if (!isRanked) return values.map((value) => value ?? 'null');
  const known = values.flatMap((value) => (typeof value === 'number' ? [value] : [])).sort((a, b) => a - b);
  const least = known[0];
  const numbers = known.filter((value) => value !== least);
  const bounds = Array.from(
    { length: QUANTILES },
    (_, i) => numbers[Math.floor((i * numbers.length) / QUANTILES)]!,
  );
  return values.map((value) => {
    if (typeof value !== 'number') return 'null';
    return value === least ? 'least' : bounds.findLastIndex((bound) => bound <= value);
  });
}

function isPartOf({ values, counts }: ColumnSample, label: readonly (SampledValue | null)[]): boolean {
  if (counts.size !== 2 || ![...counts.keys()].every((value) => value === 0 || value === 1)) return false;
  let rows = 0;
  let others = 0;
  label.forEach((is, row) => {
    if (is === null) return;
    if (values[row] === 1) {
      rows++;
      if (is !== 1) others = Number.POSITIVE_INFINITY;
    } else if (is === 0) others++;
  });
  return rows >= FEWEST_ROWS && Number.isFinite(others) && others > 0;
}
