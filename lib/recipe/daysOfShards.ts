import { calendarDayAt, DAY_MILLIS } from '../base/calendarDay.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { isInRange } from '../job/listPartitions.ts';
import { type LaidOutPartition, layOutPartition, type PartitionLayout } from '../job/partitionLayout.ts';
import type { ListedFile } from '../storage/storage.ts';

export interface ShardDays {
  /** Shards by their day YYYY-MM-DD, in the order of the listing. */
  readonly byDay: ReadonlyMap<string, readonly ListedFile[]>;
  /** Partitions whose names say no day, with the reason: they are part of no range. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Shards that don't count, by their names. */
  readonly others: readonly ListedFile[];
}

/**
 * Sorts shards by the days that the folders in their paths name, above or below the data's own folder. Of several such
 * partitions in one path, the innermost counts.
 * @param counts see `shardMatcher`: whether a shard counts, by its path below its partition
 * @throws Ncs4cvrError TRAINING_NO_DATE for a shard that lies in no folder named by the layout's keys
 */
export function daysOfShards(
  shards: readonly ListedFile[],
  layout: PartitionLayout,
  counts: (path: string) => boolean = () => true,
): ShardDays {
  const others: ListedFile[] = [];
  const byDay = new Map<string, ListedFile[]>();
  const skipped = new Map<string, string>();
  for (const shard of shards) {
    const { partition, path, found } = partitionOfShard(shard, layout);
    if (!counts(path)) others.push(shard);
    else if (typeof found === 'string') skipped.set(partition, found);
    else {
      const ofDay = byDay.get(found.day!);
      if (ofDay === undefined) byDay.set(found.day!, [shard]);
      else ofDay.push(shard);
    }
  }
  return { byDay, skipped: [...skipped].map(([name, reason]) => ({ name, reason })), others };
}

function partitionOfShard(
  { uri }: ListedFile,
  layout: PartitionLayout,
): { readonly partition: string; readonly path: string; readonly found: LaidOutPartition | string } {
  const names = uri.split('/');
  const folders = names.slice(0, -1);
  for (let start = folders.length - layout.keys.length; start >= 0; start--) {
    const named = folders.slice(start, start + layout.keys.length);
    if (!layout.keys.every(({ name }, index) => named[index]!.startsWith(`${name}=`))) continue;
    const partition = named.join('/');
    const path = names.slice(start + layout.keys.length).join('/');
    return { partition, path, found: layOutPartition(layout, partition) };
  }
  throw new Ncs4cvrError('TRAINING_NO_DATE', 'a split by date needs date partitions', {
    file: uri,
    expected: `a folder ${layout.text} in its path`,
  });
}

/**
 * Days of a range that have no shard, in words, such as `2024-03-03, 2024-03-05 to 2024-03-09`; empty when there is none.
 * @param from YYYY-MM-DD, as `to`; both inclusive
 */
export function daysWithout(byDay: ShardDays['byDay'], from: string, to: string): string {
  const days = [...byDay.keys()].filter((day) => isInRange(day, { from, to })).sort();
  const gaps: string[] = [];
  let next = Date.parse(from);
  for (const day of [...days.map((each) => Date.parse(each)), Date.parse(to) + DAY_MILLIS]) {
    const last = day - DAY_MILLIS;
    if (next < last) gaps.push(`${calendarDayAt(next)} to ${calendarDayAt(last)}`);
    else if (next === last) gaps.push(calendarDayAt(next));
    next = day + DAY_MILLIS;
  }
  return gaps.join(', ');
}
