import { DAY_MILLIS } from '../base/calendarDay.ts';
import type { LabelColumns } from '../features/readLabels.ts';

/**
 * Tells of a day, YYYY-MM-DD, whether its conversions have all come: with `matureAfter` of N days, a day is mature when
 * the newest day is at least N days later, so that data of N whole days follow it. The clicked rows of younger days have
 * an unknown conversion, the converted ones among them too: kept alone, they would say that every click there converts.
 * @param newestDay of all the data, used by the split or not
 * @returns always true without `matureAfter`
 */
export function labelMaturity(
  labels: LabelColumns | undefined,
  newestDay: string | undefined,
): (day: string | undefined) => boolean {
  const matureAfter = labels?.matureAfter;
  if (matureAfter === undefined) return () => true;
  const newestMillis = Date.parse(newestDay ?? '');
  const waitMillis = Number(matureAfter.slice(0, -1)) * DAY_MILLIS;
  return (day) => Date.parse(day ?? '') + waitMillis <= newestMillis;
}
