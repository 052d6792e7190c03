import { shiftedDay } from '../base/calendarDay.ts';
import type { JobDocument } from './jobDocument.ts';
import type { OpenedInput } from './jobInput.ts';
import { dayRange } from './listPartitions.ts';
import type { LaidOutPartition, PartitionLayout } from './partitionLayout.ts';
import { dayIn, skippedHours } from './readiness.ts';

/** A day that has partitions, and lacks some that the days around it have. */
export interface DayGap {
  /** YYYY-MM-DD. */
  readonly day: string;
  /** Such as `region=de`, `hour 03` or `region=de hour 03`. */
  readonly lacks: readonly string[];
}

/** Days on either side that are compared with. */
const DAYS_AROUND = 3;

/**
 * What days of a job's input lack; see `dayGaps`. Under a layout of days alone nothing is looked for, else the days around are
 * listed.
 * @param days in order
 */
export async function gapsOfDays(
  { layout, timeZone }: Pick<JobDocument, 'layout' | 'timeZone'>,
  input: OpenedInput,
  days: readonly string[],
  nowMillis: number,
): Promise<DayGap[]> {
  const [first, last] = [days[0], days.at(-1)];
  const isDaily = layout.keys.every(({ directives }) => directives.length > 0 && !directives.includes('H'));
  if (isDaily || first === undefined || last === undefined) return [];
  const around = dayRange(shiftedDay(first, -DAYS_AROUND), shiftedDay(last, DAYS_AROUND));
  const { partitions } = await input.listPartitions(around);
  const asked = new Set(days);
  return dayGaps(layout, partitions, timeZone, dayIn(timeZone, nowMillis)).filter(({ day }) =>
    asked.has(day),
  );
}

/** Such as `2024-03-05: region=de, hour 03`. */
export function describeGap({ day, lacks }: DayGap): string {
  return `${day}: ${lacks.join(', ')}`;
}

/**
 * Hours and regions that a day lacks though one of the days before it has them, and one of those behind it or one of the last days.
 * So what begins is no gap before it, and what ends for good is told for some days only.
 * An hour that the day doesn't have, since clocks go forward, is none.
 * @param partitions what there is, by time
 * @param today on which, and behind which, what lacks may be to come
 */
function dayGaps(
  layout: PartitionLayout,
  partitions: readonly LaidOutPartition[],
  timeZone: string,
  today: string,
): DayGap[] {
  const days = new Map<string, Slots>();
  for (const { day, hour, others } of partitions) {
    if (day === undefined || day >= today) continue;
    const slots = days.get(day) ?? new Map<string, Set<number | undefined>>();
    const region = regionName(layout, others);
    slots.set(region, (slots.get(region) ?? new Set()).add(hour));
    days.set(day, slots);
  }
  const last = [...days.keys()].at(-1);
  return [...days.keys()].flatMap((day) => {
    const lacks = lackedBy(day, days, last!);
    if (!lacks.some(({ hour }) => hour !== undefined)) return told(day, lacks);
    const skipped = skippedHours(timeZone, day);
    return told(
      day,
      lacks.filter(({ hour }) => hour === undefined || !skipped.includes(hour)),
    );
  });
}

/** Hours of each region. */
type Slots = Map<string, Set<number | undefined>>;

/** A region, or an hour of it. */
interface Lacked {
  readonly region: string;
  readonly hour?: number | undefined;
}

function told(day: string, lacks: readonly Lacked[]): DayGap[] {
  const names = lacks.map(({ region, hour }) =>
    [region, hourName(hour)].filter((name) => name !== '').join(' '),
  );
  return names.length === 0 ? [] : [{ day, lacks: names.sort() }];
}

function lackedBy(day: string, days: ReadonlyMap<string, Slots>, last: string): Lacked[] {
  const [before, behind] = [daysFrom(day, -DAYS_AROUND, -1, days), daysFrom(day, 1, DAYS_AROUND, days)];
  // Of what was there so shortly before the end nobody knows yet whether it has ended.
  const newest = daysFrom(last, -DAYS_AROUND, 0, days);
  const own = days.get(day)!;
  const isExpected = (has: (slots: Slots) => boolean) => before.some(has) && [...behind, ...newest].some(has);
  const lacks: Lacked[] = [];
  for (const region of new Set(before.flatMap((slots) => [...slots.keys()]))) {
    if (!isExpected((slots) => slots.has(region))) continue;
    const hours = own.get(region);
    if (hours === undefined) {
      lacks.push({ region });
      continue;
    }
    const known = new Set(before.flatMap((slots) => [...(slots.get(region) ?? [])]));
    for (const hour of known) {
      if (!hours.has(hour) && isExpected((slots) => slots.get(region)?.has(hour) === true))
        lacks.push({ region, hour });
    }
  }
  return lacks;
}

/** Those that are there. @param from days later than this one */
function daysFrom(day: string, from: number, to: number, days: ReadonlyMap<string, Slots>): Slots[] {
  const all = Array.from({ length: to - from + 1 }, (_, index) => days.get(shiftedDay(day, from + index)));
  return all.filter((slots) => slots !== undefined);
}

/** Such as `region=de`, by the keys that tell no time. */
function regionName({ keys }: PartitionLayout, others: readonly string[]): string {
  const names = keys.filter(({ directives }) => directives.length === 0).map(({ name }) => name);
  return others.map((value, index) => `${names[index]}=${value}`).join('/');
}

function hourName(hour: number | undefined): string {
  return hour === undefined ? '' : `hour ${String(hour).padStart(2, '0')}`;
}
