import { DAY_MILLIS } from './calendarDay.ts';

/** A region that is further behind the newest one counts as retired. */
const RETIRED_AFTER_DAYS = 7;

/** A partition, with what besides time tells it from others: its region, for example. */
interface Dated {
  /** Empty where nothing but time tells them apart. */
  readonly region: string;
  /** Of its day or hour, since 1970. */
  readonly endMillis: number;
}

/**
 * The partition that says how fresh the scores of all regions are: the oldest among the newest of each region. A region that is
 * more than a week behind counts as retired and is left out; where all regions stand still together, none is.
 */
export function furthestBehind<T extends Dated>(partitions: readonly T[]): T | undefined {
  const newest = new Map<string, T>();
  for (const each of partitions) {
    const known = newest.get(each.region);
    if (known === undefined || each.endMillis > known.endMillis) newest.set(each.region, each);
  }
  const all = [...newest.values()];
  const last = all.reduce((end, { endMillis }) => Math.max(end, endMillis), Number.NEGATIVE_INFINITY);
  return all
    .filter(({ endMillis }) => last - endMillis <= RETIRED_AFTER_DAYS * DAY_MILLIS)
    .reduce<T | undefined>((a, b) => (a === undefined || b.endMillis < a.endMillis ? b : a), undefined);
}
