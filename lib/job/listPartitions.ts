import { namesShard, refuseTable } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { isHidden } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import {
  addFolder,
  dayOf,
  type KeyValues,
  type LaidOutPartition,
  layOutPartition,
  type PartitionLayout,
  WHOLE_INPUT,
} from './partitionLayout.ts';

/** Days YYYY-MM-DD, both inclusive. */
export interface DayRange {
  readonly from: string;
  readonly to: string;
}

const FIRST_DAY = '0000-01-01';
const LAST_DAY = '9999-12-31';

/** Days from and to these; without one, all before or after. */
export function dayRange(from?: string, to?: string): DayRange {
  return { from: from ?? FIRST_DAY, to: to ?? LAST_DAY };
}

/** For an error that says what was looked for. */
export function describeRange({ from, to }: DayRange): string {
  if (from > to) return `days from ${from} to ${to}, the later one last`;
  if (from === FIRST_DAY) return to === LAST_DAY ? 'any day' : `days up to ${to}`;
  return to === LAST_DAY ? `days from ${from} on` : `days from ${from} to ${to}`;
}

export function isInRange(day: string, { from, to }: DayRange): boolean {
  return day >= from && day <= to;
}

/** A folder that was passed over, or a shard in none, and why. */
export interface SkippedFolder {
  /** Path below the input root. */
  readonly name: string;
  readonly reason: string;
}

export interface PartitionListing {
  /** By day, hour and then name. */
  readonly partitions: readonly LaidOutPartition[];
  /** In binary order of their names. What lies outside of the range isn't named. */
  readonly skipped: readonly SkippedFolder[];
}

/**
 * The partitions below an input root, found by their folders' names alone: a request per 1,000 folders of each level, none
 * for what lies in the partitions, none for branches outside of the range.
 * @throws StorageError INPUT_IS_TABLE for a Delta, Iceberg or Hudi table, whose files are not its rows
 */
export async function listPartitions(
  inputRoot: string,
  layout: PartitionLayout,
  range?: DayRange,
): Promise<PartitionListing> {
  if (layout.keys.length === 0) {
    await refuseTable(inputRoot, await storageFor(inputRoot).listFolders(inputRoot));
    return { partitions: [layOutPartition(layout, WHOLE_INPUT) as LaidOutPartition], skipped: [] };
  }
  const partitions: LaidOutPartition[] = [];
  const skipped: SkippedFolder[] = [];
  const descend = async (path: readonly string[], values: KeyValues): Promise<void> => {
    const key = layout.keys[path.length];
    if (key === undefined) {
      const { time, others } = values;
      partitions.push({ partition: path.join('/'), day: dayOf(time), hour: time.H, others });
      return;
    }
    const folder = joinUri(inputRoot, ...path);
    const files: string[] = [];
    const names = await storageFor(folder).listFolders(folder, (file) => {
      if (!isHidden(file)) files.push(file);
    });
    for (const file of files) {
      const name = [...path, file].join('/');
      if (namesShard(file)) {
        skipped.push({ name, reason: `it lies in no folder of the layout ${layout.text}` });
        continue;
      }
      const meant = addFolder(key, file, values);
      if (typeof meant === 'string' || names.includes(file) || !mayLieIn(range, meant.time)) continue;
      skipped.push({
        name,
        reason: 'no folder, though it is named as one: a file, or a link that leads nowhere',
      });
    }
    if (path.length === 0) await refuseTable(inputRoot, names);
    for (const name of names) {
      const next = isHidden(name) ? 'hidden' : addFolder(key, name, values);
      if (typeof next === 'string') skipped.push({ name: [...path, name].join('/'), reason: next });
      else if (mayLieIn(range, next.time)) await descend([...path, name], next);
    }
  };
  await descend([], { time: {}, others: [] });
  return inOrder({ partitions, skipped });
}

/** A listing in the order that it promises. */
export function inOrder({ partitions, skipped }: PartitionListing): PartitionListing {
  return {
    partitions: partitions.toSorted(byTime),
    skipped: skipped.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))),
  };
}

/** Of what the time so far says: a year alone may hold days of the range, or none. */
function mayLieIn(range: DayRange | undefined, { Y, m, d }: KeyValues['time']): boolean {
  if (range === undefined || Y === undefined) return true;
  const known = dayOf({ Y, m: m ?? 1, d: d ?? 1 })!.slice(0, m === undefined ? 4 : d === undefined ? 7 : 10);
  return known >= range.from.slice(0, known.length) && known <= range.to.slice(0, known.length);
}

/**
 * Partitions that are one by what their names mean, such as `hour=7` and `hour=07` of a day: whoever writes them wrote one of them
 * by mistake, and readers of the scores get the hour twice.
 * @returns names of those of each time that has several
 */
export function sameTimes(partitions: readonly LaidOutPartition[]): string[][] {
  const names = new Map<string, string[]>();
  for (const { partition, day, hour, others } of partitions) {
    const meaning = JSON.stringify([day, hour, others]);
    const same = names.get(meaning);
    if (same === undefined) names.set(meaning, [partition]);
    else same.push(partition);
  }
  return [...names.values()].filter(({ length }) => length > 1);
}

/** By day, hour and then name. @internal exported for tests */
export function byTime(a: LaidOutPartition, b: LaidOutPartition): number {
  const [first, second] = [a.day ?? '', b.day ?? ''];
  if (first !== second) return first < second ? -1 : 1;
  return (a.hour ?? 0) - (b.hour ?? 0) || Buffer.compare(Buffer.from(a.partition), Buffer.from(b.partition));
}
