import { DAY_MILLIS } from './calendarDay.ts';

/** A region that is behind the newest one by more passes for retired. */
const RETIRED_AFTER_DAYS = 7;

/** A partition of a region, or of whatever else than time tells partitions apart. */
interface Dated {
  /** Empty where nothing but time tells them apart. */
  readonly region: string;
  /** Of its day or hour, since 1970. */
  readonly endMillis: number;
}

/**
 * What says how fresh all regions are: of each region the newest, and of those the oldest. A region that is so far behind that
 * nobody can be waiting for it any more doesn't count; when all of them stand still, none is behind another.
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
