import { calendarDayAt, calendarDayMillis, DAY_MILLIS } from '../base/calendarDay.ts';
import { dayOfPath } from '../base/dayOfPath.ts';
import { furthestBehind } from '../base/furthestBehind.ts';

const TIME_KEY = /^(year|month|day|hour|hr|h|minute)=\d+$/i;

/** The newest day of some partitions; of several regions that of the one which is furthest behind. */
export interface NewestDay {
  /** YYYY-MM-DD. */
  readonly day: string;
  /** Such as `region=de`; empty without regions. */
  readonly region: string;
  /** Since 1970. */
  readonly endMillis: number;
}

/** Undefined where no partition's name says a day. */
export function newestDay(partitions: readonly string[]): NewestDay | undefined {
  return furthestBehind(
    partitions.flatMap((partition) => {
      const day = dayOfPartition(partition);
      if (day === undefined) return [];
      return [{ day, region: regionOf(partition), endMillis: Date.parse(day) + DAY_MILLIS }];
    }),
  );
}

/** The day of the calendar that a partition's name says, YYYY-MM-DD, however it writes it. */
export function dayOfPartition(partition: string): string | undefined {
  const day = dayOfPath(`${partition}/`);
  if (day !== undefined) return calendarDayAt(day * DAY_MILLIS);
  const named = partition.matchAll(/(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)/g);
  return [...named].map(([text]) => text).find((text) => calendarDayMillis(text) !== undefined);
}

/** What tells a partition from the others of its day, such as `region=de`. A folder of its day or hour that passed for a region would be far behind. */
export function regionOf(partition: string): string {
  return partition
    .split('/')
    .filter((folder) => dayOfPartition(folder) === undefined && !TIME_KEY.test(folder))
    .join('/');
}

/** Numbers by what they are: folders needn't have leading zeros, and `month=10` comes behind `month=9`. */
const { compare } = new Intl.Collator('en', { numeric: true });

/** Partitions by the day in their names, then by all that the names say: for pages that know no layout. */
export function byNamedTime(a: string, b: string): number {
  const [first, second] = [dayOfPartition(a) ?? '', dayOfPartition(b) ?? ''];
  if (first !== second) return first < second ? -1 : 1;
  return compare(a, b) || (a < b ? -1 : Number(a > b));
}
