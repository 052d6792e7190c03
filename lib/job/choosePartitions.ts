import { Ncs4cvrError } from '../base/errors.ts';
import { findShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import type { Completeness, JobDocument } from './jobDocument.ts';
import { type DayRange, listPartitions, type SkippedFolder } from './listPartitions.ts';
import { type LaidOutPartition, layOutPartition, type PartitionLayout } from './partitionLayout.ts';

/** Which partitions of an input root a run takes. */
export type PartitionChoice =
  /** All partitions of the newest day that is complete. */
  | { readonly kind: 'newest' }
  | { readonly kind: 'one'; readonly partition: string }
  /** Days YYYY-MM-DD, both inclusive. */
  | ({ readonly kind: 'dates' } & DayRange);

export interface InputPartition {
  /** Path below the input root, such as `dt=2022-05-06`. */
  readonly partition: string;
  readonly inputUri: string;
}

export interface ChosenPartitions {
  /** By time; never empty. */
  readonly partitions: readonly InputPartition[];
  /** Folders that are no partitions, and days that "newest" passed over, each with its reason. */
  readonly skipped: readonly SkippedFolder[];
  /** Days between the first and the last that was chosen that have no partition. */
  readonly missingDays: readonly string[];
}

type Job = Pick<JobDocument, 'input' | 'layout' | 'timeZone' | 'newest' | 'completeness'>;

const DAY_MILLIS = 86_400_000;
const MINUTE_MILLIS = 60_000;

/**
 * The partitions that a run takes, by the times that their names say. A name that says none is passed over with its reason,
 * never chosen, and never stands in the way of a choice that doesn't need it.
 * @param nowMillis since 1970
 * @throws Ncs4cvrError PLAN_NO_PARTITION; StorageError INPUT_IS_TABLE
 */
export async function choosePartitions(
  job: Job,
  choice: PartitionChoice,
  nowMillis: number,
): Promise<ChosenPartitions> {
  if (choice.kind === 'one') return chooseOne(job, choice.partition);
  if (!job.layout.hasDay) {
    throw noPartition(job, 'a layout whose keys name a day', `the layout ${job.layout.text}`);
  }
  return choice.kind === 'dates' ? chooseDays(job, choice) : chooseNewest(job, nowMillis);
}

export function inputPartition(inputRoot: string, partition: string): InputPartition {
  return { partition, inputUri: joinUri(inputRoot, ...partition.split('/')) };
}

/** The partition that an object of the input lies in; in words why in none. */
export function partitionOf(
  inputRoot: string,
  layout: PartitionLayout,
  uri: string,
): { readonly partition: string } | { readonly reason: string } {
  const prefix = `${inputRoot.replace(/\/+$/, '')}/`;
  if (!uri.startsWith(prefix)) return { reason: `outside of ${inputRoot}` };
  const folders = uri.slice(prefix.length).split('/').slice(0, -1);
  const laidOut = layOutPartition(layout, folders.slice(0, layout.keys.length).join('/'));
  return typeof laidOut === 'string' ? { reason: laidOut } : { partition: laidOut.partition };
}

async function chooseOne(job: Job, partition: string): Promise<ChosenPartitions> {
  const laidOut = layOutPartition(job.layout, partition);
  if (typeof laidOut === 'string')
    throw noPartition(job, `a partition of the layout ${job.layout.text}`, laidOut);
  const chosen = inputPartition(job.input, partition);
  if (await storageFor(chosen.inputUri).exists(chosen.inputUri)) {
    return { partitions: [chosen], skipped: [], missingDays: [] };
  }
  throw noPartition(job, partition, 'no such folder');
}

async function chooseDays(job: Job, range: DayRange): Promise<ChosenPartitions> {
  const { partitions, skipped } = await listPartitions(job.input, job.layout, range);
  if (partitions.length === 0) {
    const reasons = skipped.map(({ name, reason }) => `${name} (${reason})`);
    throw noPartition(job, `days from ${range.from} to ${range.to}`, listed(reasons, 'none in that range'));
  }
  const days = new Set(partitions.map(({ day }) => day!));
  return {
    partitions: partitions.map(({ partition }) => inputPartition(job.input, partition)),
    skipped,
    missingDays: daysFrom([...days][0]!, [...days].at(-1)!).filter((day) => !days.has(day)),
  };
}

/**
 * All partitions, whatever their other keys are, of the newest day that is over in the job's time zone, or that a marker or
 * a number of shards says to be complete. An hourly day is over only with its last hour.
 */
async function chooseNewest(job: Job, nowMillis: number): Promise<ChosenPartitions> {
  const { layout, timeZone, newest, completeness } = job;
  const today = dayIn(timeZone, nowMillis);
  const from = newest.lookBackDays === undefined ? undefined : daysBefore(today, newest.lookBackDays);
  const range = from === undefined ? undefined : { from, to: '9999-12-31' };
  const listing = await listPartitions(job.input, layout, range);
  const skipped = [...listing.skipped];
  const days = [...new Set(listing.partitions.map(({ day }) => day!))].reverse();
  const isHourly = listing.partitions.some(({ hour }) => hour !== undefined);
  const saysSo = completeness.kind === 'marker' || completeness.kind === 'shards';
  for (const day of days) {
    const ofDay = listing.partitions.filter((partition) => partition.day === day);
    const isOver = day < today || (day > today && newest.allowFuture);
    const reason =
      day > today && !newest.allowFuture
        ? `in the future: it is ${today} in ${timeZone}`
        : !isOver && (isHourly || !saysSo)
          ? `not over yet: it is ${today} in ${timeZone}`
          : await whyIncomplete(job, ofDay, nowMillis);
    if (reason === undefined) {
      return {
        partitions: ofDay.map(({ partition }) => inputPartition(job.input, partition)),
        skipped,
        missingDays: [],
      };
    }
    skipped.push(...ofDay.map(({ partition }) => ({ name: partition, reason })));
  }
  const reasons = skipped.map(({ name, reason }) => `${name} (${reason})`);
  const since = from === undefined ? '' : ` since ${from}`;
  throw noPartition(job, `a complete day of the layout ${layout.text}${since}`, listed(reasons, 'no folder'));
}

/** Why a day isn't complete; undefined when it is. */
async function whyIncomplete(
  { input, completeness }: Job,
  partitions: readonly LaidOutPartition[],
  nowMillis: number,
): Promise<string | undefined> {
  if (completeness.kind === 'none') return undefined;
  for (const { partition } of partitions) {
    const { inputUri } = inputPartition(input, partition);
    const reason = await whyLanding(inputUri, completeness, nowMillis);
    if (reason !== undefined) return `${partition}: ${reason}`;
  }
  return undefined;
}

async function whyLanding(
  inputUri: string,
  completeness: Exclude<Completeness, { kind: 'none' }>,
  nowMillis: number,
): Promise<string | undefined> {
  const storage = storageFor(inputUri);
  if (completeness.kind === 'marker') {
    const { file } = completeness;
    return (await storage.exists(joinUri(inputUri, file))) ? undefined : `no ${file}`;
  }
  if (completeness.kind === 'shards') {
    const { count } = completeness;
    const { shards } = await findShards(inputUri);
    return shards.length >= count ? undefined : `${shards.length} of ${count} shards`;
  }
  const files = await storage.list(inputUri);
  if (files.length === 0) return 'no file';
  const quietMinutes = (nowMillis - Math.max(...files.map((file) => file.modifiedMillis))) / MINUTE_MILLIS;
  const { minutes } = completeness;
  return quietMinutes >= minutes ? undefined : `quiet for ${Math.floor(quietMinutes)} of ${minutes} minutes`;
}

function noPartition({ input }: Job, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('PLAN_NO_PARTITION', 'there is no such partition', {
    file: input,
    expected,
    found,
  });
}

const SHOWN = 5;

function listed(all: readonly string[], none: string): string {
  if (all.length === 0) return none;
  return `${all.slice(-SHOWN).join(', ')}${all.length > SHOWN ? ` and ${all.length - SHOWN} more` : ''}`;
}

/** The date that a clock in a time zone shows. */
function dayIn(timeZone: string, millis: number): string {
  const options = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', options).format(millis);
}

function daysBefore(day: string, count: number): string {
  return new Date(Date.parse(day) - count * DAY_MILLIS).toISOString().slice(0, 10);
}

function daysFrom(first: string, last: string): string[] {
  const days: string[] = [];
  for (let millis = Date.parse(first); millis <= Date.parse(last); millis += DAY_MILLIS) {
    days.push(new Date(millis).toISOString().slice(0, 10));
  }
  return days;
}
