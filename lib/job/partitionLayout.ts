import { Ncs4cvrError } from '../base/errors.ts';
import { isHidden } from '../storage/storage.ts';

/**
 * How an input root is cut into partitions: the keys of its folders in order, such as `dt=%Y-%m-%d`,
 * `date=%Y%m%d/hour=%H`, `year=/month=/day=` or `region=/dt=`. The value of a key is a time (directives %Y %m %d %H), an
 * integer (`%i`), or anything (`*`). A key without a value means what its name says: see VALUE_OF_NAME; else anything.
 * The layout `none` has no keys: all of the input is one partition, named WHOLE_INPUT.
 */
export interface PartitionLayout {
  readonly text: string;
  readonly keys: readonly PartitionKey[];
  /** Do the keys name a day? Without one there is no newest partition and no range of dates. */
  readonly hasDay: boolean;
}

export interface PartitionKey {
  readonly name: string;
  /** As it was written, or as the name implies. */
  readonly value: string;
  readonly pattern: RegExp;
  readonly directives: readonly Directive[];
}

/** A folder that the layout takes for a partition. */
export interface LaidOutPartition {
  /** Path below the input root, such as `dt=2022-05-06/hour=07`. */
  readonly partition: string;
  /** YYYY-MM-DD; undefined under a layout without a day. */
  readonly day: string | undefined;
  /** 0 to 23; undefined under a layout without an hour. */
  readonly hour: number | undefined;
  /** The values of all other keys, by which partitions of one time are told apart. */
  readonly others: readonly string[];
}

/** Values of a partition's leading folders; enough to leave out whole branches of a listing. */
export interface KeyValues {
  readonly time: Readonly<Partial<Record<Directive, number>>>;
  readonly others: readonly string[];
}

type Directive = 'Y' | 'm' | 'd' | 'H';

export const DEFAULT_LAYOUT = 'dt=%Y-%m-%d';
export const NO_LAYOUT = 'none';
/** Name of the one partition of an input without partitions; no partition of a layout with keys has it. */
export const WHOLE_INPUT = 'all';

const VALUE_OF_NAME: ReadonlyMap<string, string> = new Map([
  ['dt', '%Y-%m-%d'],
  ['date', '%Y-%m-%d'],
  ['year', '%Y'],
  ['month', '%m'],
  ['day', '%d'],
  ['hour', '%H'],
]);

const DIGITS: Readonly<Record<Directive, number>> = { Y: 4, m: 2, d: 2, H: 2 };

/** @throws Ncs4cvrError JOB_LAYOUT_INVALID */
export function parsePartitionLayout(text: string): PartitionLayout {
  if (text === NO_LAYOUT) return { text, keys: [], hasDay: false };
  const keys = text.split('/').map((segment) => parseKey(segment, text));
  const directives = keys.flatMap((key) => key.directives);
  const repeated =
    directives.find((each, index) => directives.indexOf(each) < index) ??
    keys.find(({ name }, index) => keys.findIndex((other) => other.name === name) < index)?.name;
  if (repeated !== undefined) throw invalid(text, `'${repeated}' twice`);
  const day = (['Y', 'm', 'd'] as const).filter((each) => directives.includes(each));
  if ((day.length > 0 && day.length < 3) || (directives.includes('H') && day.length === 0)) {
    throw invalid(text, `a time of ${directives.map((each) => `%${each}`).join(' ')} alone, which is no day`);
  }
  return { text, keys, hasDay: day.length === 3 };
}

function parseKey(segment: string, layout: string): PartitionKey {
  const [, name, written] = /^([^=/%*]+)=(.*)$/.exec(segment) ?? [];
  // Folders with a hidden name are never listed.
  if (name === undefined || written === undefined || isHidden(name))
    throw invalid(layout, `the segment '${segment}'`);
  const value = written === '' ? (VALUE_OF_NAME.get(name) ?? '*') : written;
  if (value === '*') return { name, value, pattern: /^(.+)$/s, directives: [] };
  if (value === '%i') return { name, value, pattern: /^(\d+)$/, directives: [] };
  const directives: Directive[] = [];
  const pattern = value.replace(/%(.?)|[^%]+/g, (piece, letter: string | undefined) => {
    if (letter === undefined) return piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    if (!(letter in DIGITS)) throw invalid(layout, `the directive '%${letter}'`);
    directives.push(letter as Directive);
    // Engines write month=9 as well as month=09; within a longer value only two digits can be told apart.
    return value === piece && letter !== 'Y' ? '(\\d{1,2})' : `(\\d{${DIGITS[letter as Directive]}})`;
  });
  if (directives.length === 0) throw invalid(layout, `the fixed value '${segment}'`);
  return { name, value, pattern: new RegExp(`^${pattern}$`), directives };
}

function invalid(layout: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('JOB_LAYOUT_INVALID', `'${layout}' is no partition layout`, {
    expected:
      'keys such as dt=%Y-%m-%d, date=%Y%m%d/hour=%H, year=/month=/day= or region=/dt=, with %Y %m %d (and %H), %i or *; or none',
    found,
  });
}

/**
 * What the next folder of a path says.
 * @returns the values so far, or in words why the folder is none of the layout's
 */
export function addFolder(key: PartitionKey, folder: string, before: KeyValues): KeyValues | string {
  const prefix = `${key.name}=`;
  if (!folder.startsWith(prefix)) return `not named ${prefix}...`;
  const match = key.pattern.exec(folder.slice(prefix.length));
  if (match === null) return `'${folder.slice(prefix.length)}' is not of the form ${key.value}`;
  if (key.directives.length === 0) return { ...before, others: [...before.others, match[1]!] };
  const found = key.directives.map((directive, index) => [directive, Number(match[index + 1])] as const);
  const time = { ...before.time, ...Object.fromEntries(found) };
  return isPossible(time) ? { ...before, time } : `'${folder.slice(prefix.length)}' is no date or time`;
}

/** Of the directives known so far. */
function isPossible({ Y, m, d, H }: KeyValues['time']): boolean {
  if ((m !== undefined && (m < 1 || m > 12)) || (H !== undefined && H > 23)) return false;
  if (d === undefined) return true;
  // The longest month of the longest year stands for what is not known yet.
  const lastDay = new Date(Date.UTC(Y ?? 2024, m ?? 1, 0)).getUTCDate();
  return d >= 1 && d <= lastDay;
}

/** YYYY-MM-DD, once year, month and day are known. */
export function dayOf({ Y, m, d }: KeyValues['time']): string | undefined {
  if (Y === undefined || m === undefined || d === undefined) return undefined;
  return [String(Y).padStart(4, '0'), ...[m, d].map((each) => String(each).padStart(2, '0'))].join('-');
}

/** The partition that a path of folders below the input root is, or why it is none. */
export function layOutPartition({ keys }: PartitionLayout, partition: string): LaidOutPartition | string {
  if (keys.length === 0 && partition === WHOLE_INPUT) {
    return { partition, day: undefined, hour: undefined, others: [] };
  }
  const folders = partition.split('/');
  if (folders.length !== keys.length) return `${folders.length} folders, where the layout has ${keys.length}`;
  let values: KeyValues = { time: {}, others: [] };
  for (const [index, key] of keys.entries()) {
    const next = addFolder(key, folders[index]!, values);
    if (typeof next === 'string') return next;
    values = next;
  }
  return { partition, day: dayOf(values.time), hour: values.time.H, others: values.others };
}
