import { DAY_MILLIS } from '../base/calendarDay.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { type Candidate, type Earlier, type Judged, TRAINING_DAYS } from './judged.ts';
import type { Measurement } from './verdict.ts';

/**
 * Rows against what was published before. Once a partition is visible it may grow, as more of its shards land, up to what a
 * day of its kind has; until then it must have as much as the day before and as the same weekday. A first publication is
 * compared with the day before in the same run, and without one with the training days, which may have been a sample of the
 * rows: that warns at most. What is a part of a day, such as an hour or a region, isn't compared with them: the reference knows
 * whole days. No rows at all are always too few.
 */
export function judgeRows(
  { partition, rows }: Pick<Candidate, 'partition' | 'rows'>,
  earlier: Earlier,
  reference: Pick<ModelReference, 'days'> | undefined,
  { lowest, highest }: GateSettings['rows'],
): Measurement[] {
  if (rows === 0) {
    const reason = 'the partition has no row';
    return [{ subject: '', found: 0, bound: 1, isWithin: false, against: 'any night', reason }];
  }
  const { own, previous, weekday, unpublished } = earlier;
  const days = reference?.days ?? [];
  const ratioTo = (other: Pick<Judged, 'partition' | 'rows'> | undefined, low: number, high: number) =>
    other === undefined || other.rows === 0
      ? []
      : [measure(rows, other.rows, other.partition, Math.min(lowest, low), Math.max(highest, high))];
  if (own !== undefined) {
    const kept = ratioTo(own, lowest, Number.POSITIVE_INFINITY);
    const grown = [previous, weekday].flatMap((other) => ratioTo(other, 0, dayToDay(days).high));
    return [...kept, ...grown];
  }
  const { low, high } = dayToDay(days);
  const found = [...ratioTo(previous ?? unpublished, low, high), ...ratioTo(weekday, lowest, highest)];
  if (found.length > 0 || days.length === 0 || !coversWholeDay(partition, earlier)) return found;
  const counts = days.map((day) => day.rows);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  // Against the nearest of the training days, the smallest or the largest.
  const nearest = rows < least ? least : rows > most ? most : rows;
  return [{ ...measure(rows, nearest, TRAINING_DAYS, lowest, highest), atMost: 'warn' }];
}

/** Is a partition a day and no part of one: by the job's layout where that says something else than its name. */
export function coversWholeDay(partition: string, { isWholeDay: byLayout }: Earlier): boolean {
  return byLayout ?? isWholeDay(partition);
}

/**
 * Does a partition's name alone say a day and nothing else, such as `dt=2022-05-06` or `year=2022/month=5/day=6`? Values of a day alone
 * have eight digits, as a layout that prints it in parts has with two for month and day.
 */
export function isWholeDay(partition: string): boolean {
  const values = partition.split('/').map((segment) => segment.slice(segment.indexOf('=') + 1));
  if (!partition.includes('=') || !values.every((value) => /^[\d._-]+$/.test(value))) return false;
  const digits = values.map((value) => value.replace(/\D/g, ''));
  return digits.map((each) => each.padStart(2, '0')).join('').length === 8;
}

/** How far one training day was from the day before it, with the same leeway on both sides. 1 and 1 without such days. */
function dayToDay(days: ModelReference['days']): { readonly low: number; readonly high: number } {
  const rowsOf = new Map(days.map(({ day, rows }) => [Date.parse(day), rows]));
  let [low, high] = [1, 1];
  for (const [millis, rows] of rowsOf) {
    const before = rowsOf.get(millis - DAY_MILLIS);
    if (before === undefined || before === 0 || rows === 0) continue;
    low = Math.min(low, rows / before);
    high = Math.max(high, rows / before);
  }
  return { low: low / LEEWAY, high: high * LEEWAY };
}

/** A night may be a little further from its neighbour than any training day was. */
const LEEWAY = 1.1;

function measure(
  rows: number,
  otherRows: number,
  against: string,
  lowest: number,
  highest: number,
): Measurement {
  const found = rows / otherRows;
  const isLow = found < lowest;
  const isHigh = found > highest;
  const bound = isHigh || (!isLow && found > 1) ? highest : lowest;
  const what = isLow ? 'too few rows: ' : isHigh ? 'too many rows: ' : '';
  const reason = `${what}${rows === 1 ? '1 row' : `${rows} rows`}, and ${otherRows} there`;
  return { subject: '', found, bound, isWithin: !isLow && !isHigh, against, reason };
}
