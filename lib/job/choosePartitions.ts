import { DAY_MILLIS, shiftedDay } from '../base/calendarDay.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { nearestName } from '../base/nearestName.ts';
import { storageFor } from '../storage/openStorage.ts';
import { folderUri, uriScheme } from '../storage/uri.ts';
import { type DayGap, gapsOfDays } from './dayGaps.ts';
import type { JobDocument } from './jobDocument.ts';
import { type InputPartition, isFileList, type OpenedInput, openJobInput, whyNoInput } from './jobInput.ts';
import {
  type DayRange,
  dayRange,
  describeRange,
  type PartitionListing,
  type SkippedFolder,
  sameTimes,
} from './listPartitions.ts';
import {
  type LaidOutPartition,
  layOutPartition,
  type PartitionLayout,
  WHOLE_INPUT,
} from './partitionLayout.ts';
import { dayIn, notReadyText, whyNotReady } from './readiness.ts';

/** Which partitions of an input root a run takes. */
export type PartitionChoice =
  /** All partitions of the newest day that is complete. */
  | { readonly kind: 'newest' }
  | { readonly kind: 'one'; readonly partition: string }
  /** Days YYYY-MM-DD, both inclusive. */
  | ({ readonly kind: 'dates' } & DayRange);

export interface ChosenPartitions {
  /** By time; never empty. */
  readonly partitions: readonly InputPartition[];
  /** Folders that are no partitions, and days that "newest" passed over, each with its reason. */
  readonly skipped: readonly SkippedFolder[];
  /** Days between the first and the last that was chosen that have no partition; of more than a year without any, none. */
  readonly missingDays: readonly string[];
  /** What chosen days lack of the hours and regions that the days around them have. */
  readonly gaps: readonly DayGap[];
  /** Chosen partitions that mean the same time, such as `hour=7` and `hour=07`. */
  readonly sameTimes: readonly (readonly string[])[];
}

/** What there is to say of a choice beside what it takes. */
export type ChoiceRemarks = Omit<ChosenPartitions, 'partitions'>;

export const NO_REMARKS: ChoiceRemarks = { skipped: [], missingDays: [], gaps: [], sameTimes: [] };

type Job = Pick<JobDocument, 'input' | 'layout' | 'timeZone' | 'newest' | 'completeness'>;

/**
 * The partitions that a run takes, by the times that their names say. A name that says none is passed over with its reason,
 * never chosen, and never stands in the way of a choice that doesn't need it.
 * @param nowMillis since 1970
 * @param openInput the job's, where it is open already
 * @throws Ncs4cvrError PLAN_NO_PARTITION; StorageError INPUT_IS_TABLE; ProblemsError INPUT_LIST_INVALID
 */
export async function choosePartitions(
  job: Job,
  choice: PartitionChoice,
  nowMillis: number,
  openInput?: OpenedInput,
): Promise<ChosenPartitions> {
  const input = openInput ?? (await openJobInput(job));
  if (choice.kind === 'one') return chooseOne(job, input, choice.partition);
  if (choice.kind === 'newest' && job.layout.keys.length === 0) return chooseWhole(job, input, nowMillis);
  if (!job.layout.hasDay) {
    throw await noPartition(job, 'a layout whose keys name a day', `the layout ${job.layout.text}`);
  }
  return choice.kind === 'dates'
    ? chooseDays(job, input, choice, nowMillis)
    : chooseNewest(job, input, nowMillis);
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
  const name = folders.slice(0, layout.keys.length).join('/');
  const laidOut = layOutPartition(layout, layout.keys.length === 0 ? WHOLE_INPUT : name);
  return typeof laidOut === 'string' ? { reason: laidOut } : { partition: laidOut.partition };
}

async function chooseOne(job: Job, input: OpenedInput, partition: string): Promise<ChosenPartitions> {
  const laidOut = layOutPartition(job.layout, partition);
  if (typeof laidOut === 'string')
    throw await noPartition(job, `a partition of the layout ${job.layout.text}`, `${partition}: ${laidOut}`);
  if (await input.has(partition)) {
    return { ...NO_REMARKS, partitions: [input.inputPartition(partition)] };
  }
  const near = await nearPartition(input, laidOut);
  const meant = near === undefined ? '' : `; did you mean ${near}?`;
  throw await noPartition(job, partition, `no such folder${meant}`);
}

/** One of the same time, such as `day=5` of `day=05`, or else of a name that differs little. */
async function nearPartition(input: OpenedInput, wanted: LaidOutPartition): Promise<string | undefined> {
  const { partition, day, hour, others } = wanted;
  const { partitions } = await input.listPartitions(day === undefined ? undefined : dayRange(day, day));
  const same = partitions.find(
    (each) => each.day === day && each.hour === hour && each.others.join('/') === others.join('/'),
  );
  const names = partitions.map((each) => each.partition);
  return same?.partition ?? nearestName(partition, names);
}

/** All of an input that has no partitions. */
async function chooseWhole(job: Job, input: OpenedInput, nowMillis: number): Promise<ChosenPartitions> {
  if (!isFileList(job.input) && (await isFile(job.input))) {
    throw await noPartition(job, 'a folder', 'a file; name its folder, and the file as the shardPattern');
  }
  const { partitions } = await input.listPartitions();
  const notReady = await whyNotReady(job, input, partitions, nowMillis);
  if (notReady !== undefined) {
    throw await noPartition(job, 'an input that is complete', notReady.reason);
  }
  return chooseOne(job, input, WHOLE_INPUT);
}

async function isFile(uri: string): Promise<boolean> {
  const storage = storageFor(uri);
  // Whoever may read what lies in the folder need not be allowed to ask for an object of its name.
  if (uriScheme(uri) === 's3' && (await storage.exists(folderUri(uri)))) return false;
  return (await storage.stat(uri)) !== undefined;
}

async function chooseDays(
  job: Job,
  input: OpenedInput,
  range: DayRange,
  nowMillis: number,
): Promise<ChosenPartitions> {
  const { partitions, skipped } = await input.listPartitions(range);
  if (partitions.length === 0) {
    const reasons = skipped.map(({ name, reason }) => `${name} (${reason})`);
    const none = range.from > range.to ? 'a range that ends before it begins' : 'none in that range';
    throw await noPartition(job, describeRange(range), listed(reasons, none));
  }
  return {
    partitions: partitions.map(({ partition }) => input.inputPartition(partition)),
    ...(await remarksOn(job, input, { partitions, skipped }, nowMillis)),
  };
}

/** What there is to say of some partitions of a job's input. @param listing partitions by time */
export async function remarksOn(
  job: Pick<Job, 'layout' | 'timeZone'>,
  input: OpenedInput,
  { partitions, skipped }: PartitionListing,
  nowMillis: number,
): Promise<ChoiceRemarks> {
  const days = partitions.flatMap(({ day }) => (day === undefined ? [] : [day]));
  return {
    skipped,
    missingDays: missingDays(days),
    gaps: await gapsOfDays(job, input, days, nowMillis),
    sameTimes: sameTimes(partitions),
  };
}

/** So many days without a partition are no gap: one of 1970 or of 9999 holds what has no date, and stands for no day. */
const LONGEST_GAP_DAYS = 366;

/** Days between the first and the last of some that aren't among them, but for those of long gaps. @param days in order */
function missingDays(days: readonly string[]): string[] {
  return days.slice(1).flatMap((day, index) => daysBetween(days[index]!, day));
}

/** None where they are many. */
function daysBetween(before: string, after: string): string[] {
  const count = Math.round((Date.parse(after) - Date.parse(before)) / DAY_MILLIS) - 1;
  if (count <= 0 || count > LONGEST_GAP_DAYS) return [];
  return Array.from({ length: count }, (_, index) => shiftedDay(before, index + 1));
}

/**
 * All partitions, whatever their other keys are, of the newest day that is over in the job's time zone, or that a marker or
 * a number of shards says to be complete. An hourly day is over only with its last hour.
 */
async function chooseNewest(job: Job, input: OpenedInput, nowMillis: number): Promise<ChosenPartitions> {
  const { layout, timeZone, newest } = job;
  const today = dayIn(timeZone, nowMillis);
  const from = newest.lookBackDays === undefined ? undefined : shiftedDay(today, -newest.lookBackDays);
  const range = from === undefined ? undefined : dayRange(from);
  const listing = await input.listPartitions(range);
  const skipped = [...listing.skipped];
  const days = [...new Set(listing.partitions.map(({ day }) => day!))].reverse();
  for (const day of days) {
    const ofDay = listing.partitions.filter((partition) => partition.day === day);
    const notReady = await whyNotReady(job, input, ofDay, nowMillis);
    if (notReady === undefined) {
      return {
        partitions: ofDay.map(({ partition }) => input.inputPartition(partition)),
        ...(await remarksOn(job, input, { partitions: ofDay, skipped }, nowMillis)),
      };
    }
    for (const { partition } of ofDay) {
      skipped.push({ name: partition, reason: notReadyText(notReady, partition) });
    }
  }
  const reasons = skipped.map(({ name, reason }) => `${name} (${reason})`);
  const since = from === undefined ? '' : ` since ${from}`;
  throw await noPartition(
    job,
    `a complete day of the layout ${layout.text}${since}`,
    listed(reasons, 'no folder'),
  );
}

async function noPartition({ input }: Job, expected: string, found: string): Promise<Ncs4cvrError> {
  return new Ncs4cvrError('PLAN_NO_PARTITION', 'there is no such partition', {
    file: input,
    expected,
    found: (await whyNoInput(input)) ?? found,
  });
}

const SHOWN = 5;

function listed(all: readonly string[], none: string): string {
  if (all.length === 0) return none;
  return `${all.slice(-SHOWN).join(', ')}${all.length > SHOWN ? ` and ${all.length - SHOWN} more` : ''}`;
}
