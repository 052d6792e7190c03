import { calendarDayMillis, DAY_MILLIS } from '../base/calendarDay.ts';
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
  if (day !== undefined) return new Date(day * DAY_MILLIS).toISOString().slice(0, 10);
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
