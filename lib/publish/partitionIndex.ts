import { DAY_MILLIS } from '../base/calendarDay.ts';
import type { LaidOutPartition } from '../job/partitionLayout.ts';

/**
 * Partitions that have a day, by what is asked about them for each partition of a run: of some years of hours there are tens of
 * thousands, and to look through all of them for each one takes longer than a function has.
 */
export class PartitionIndex<Partition extends LaidOutPartition> {
  readonly #byKeys = new Map<string, { readonly other: Partition; readonly day: number }[]>();
  readonly #byHour = new Map<number, Partition[]>();

  constructor(partitions: readonly Partition[]) {
    for (const other of partitions) {
      append(this.#byKeys, keysOf(other), { other, day: dayNumber(other) });
      append(this.#byHour, hourNumber(other), other);
    }
  }

  /** Those of other days that differ in the day alone, the nearest first, and of two as near the earlier one. */
  ofOtherDays(itself: LaidOutPartition): { readonly other: Partition; readonly days: number }[] {
    const today = dayNumber(itself);
    return (this.#byKeys.get(keysOf(itself)) ?? [])
      .filter(({ day }) => day !== today)
      .map(({ other, day }) => ({ other, days: day - today }))
      .sort((a, b) => Math.abs(a.days) - Math.abs(b.days) || a.days - b.days);
  }

  /**
   * Those of at most so many hours around one, and regions of the same hour or day, the nearest first.
   * @param hoursBack around the time so many hours before it instead
   */
  ofHoursAround(
    itself: LaidOutPartition,
    mostHours: number,
    hoursBack = 0,
  ): { readonly other: Partition; readonly hours: number }[] {
    const middle = hourNumber(itself) - hoursBack;
    const found: { other: Partition; hours: number }[] = [];
    for (let hours = -mostHours; hours <= mostHours; hours++) {
      for (const other of this.#byHour.get(middle + hours) ?? []) {
        if (other.partition !== itself.partition) found.push({ other, hours });
      }
    }
    return found.sort(
      (a, b) =>
        Math.abs(a.hours) - Math.abs(b.hours) ||
        a.hours - b.hours ||
        (a.other.partition < b.other.partition ? -1 : 1),
    );
  }
}

/** What partitions of different days have in common. */
const keysOf = ({ hour, others }: LaidOutPartition) => JSON.stringify([hour ?? null, others]);
const dayNumber = ({ day }: LaidOutPartition) => Math.round(Date.parse(day!) / DAY_MILLIS);
const hourNumber = (partition: LaidOutPartition) => 24 * dayNumber(partition) + (partition.hour ?? 0);

function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
