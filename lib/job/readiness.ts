import { HOUR_MILLIS } from '../base/calendarDay.ts';
import { storageFor } from '../storage/openStorage.ts';
import { folderUri, joinUri } from '../storage/uri.ts';
import type { Completeness, JobDocument } from './jobDocument.ts';
import { countedInput, type InputPartition, listInput, type OpenedInput } from './jobInput.ts';
import type { LaidOutPartition } from './partitionLayout.ts';

type Job = Pick<JobDocument, 'timeZone' | 'newest' | 'completeness' | 'shardPattern'>;

const MINUTE_MILLIS = 60_000;
const QUARTER_MILLIS = 15 * MINUTE_MILLIS;

/**
 * Why the partitions of a day may not be taken yet: the day isn't over in the job's time zone, and neither a marker nor a
 * number of shards says that it is complete; or they say that it isn't. An hourly day is over only with its last hour.
 * @param ofDay all partitions of one day
 * @param nowMillis since 1970
 * @returns undefined when they are ready
 */
export async function whyNotReady(
  job: Job,
  input: OpenedInput,
  ofDay: readonly LaidOutPartition[],
  nowMillis: number,
): Promise<NotReady | undefined> {
  const { timeZone, newest, completeness } = job;
  const today = dayIn(timeZone, nowMillis);
  const { day } = ofDay[0]!;
  const isHourly = ofDay.some(({ hour }) => hour !== undefined);
  const saysSo = completeness.kind === 'marker' || completeness.kind === 'shards';
  if (day !== undefined) {
    if (day > today && !newest.allowFuture) return ofAll(`in the future: it is ${today} in ${timeZone}`);
    const isOver = day !== today;
    if (!isOver && (isHourly || !saysSo)) return ofAll(`not over yet: it is ${today} in ${timeZone}`);
  }
  return whyIncomplete(job, input, ofDay, nowMillis);
}

/** Why the partitions of a day aren't ready. */
export interface NotReady {
  /** In words. */
  readonly reason: string;
  /** Of which of them, where it isn't true of all. */
  readonly partition: string | undefined;
}

function ofAll(reason: string): NotReady {
  return { reason, partition: undefined };
}

/** As it is told of one of the day's partitions, which is named beside it. */
export function notReadyText({ reason, partition }: NotReady, toldOf: string): string {
  return partition === undefined || partition === toldOf ? reason : `${partition}: ${reason}`;
}

/** Why a day isn't complete; undefined when it is. */
async function whyIncomplete(
  { completeness, shardPattern }: Job,
  input: OpenedInput,
  partitions: readonly LaidOutPartition[],
  nowMillis: number,
): Promise<NotReady | undefined> {
  if (completeness.kind === 'none') return undefined;
  for (const { partition } of partitions) {
    const reason = await whyLanding(input.inputPartition(partition), completeness, {
      shardPattern,
      nowMillis,
    });
    if (reason !== undefined) return { partition, reason };
  }
  return undefined;
}

/**
 * Why what has landed in a partition is not published yet: the marker or the number of shards that the job goes by isn't there.
 * The end of the day isn't waited for, and neither is a quiet input: nothing that lands would say when it has been quiet.
 * @returns in words; undefined when it may be published
 */
export async function whyStillLanding(
  { completeness, shardPattern }: Pick<Job, 'completeness' | 'shardPattern'>,
  input: InputPartition,
  nowMillis: number,
): Promise<string | undefined> {
  if (completeness.kind === 'none' || completeness.kind === 'quiet') return undefined;
  return whyLanding(input, completeness, { shardPattern, nowMillis });
}

async function whyLanding(
  input: InputPartition,
  completeness: Exclude<Completeness, { kind: 'none' }>,
  { shardPattern, nowMillis }: Pick<Job, 'shardPattern'> & { readonly nowMillis: number },
): Promise<string | undefined> {
  const { inputUri } = input;
  const storage = storageFor(inputUri);
  if (completeness.kind === 'marker') {
    const { file } = completeness;
    return (await storage.exists(joinUri(inputUri, file))) ? undefined : `no ${file}`;
  }
  if (completeness.kind === 'shards') {
    const { count } = completeness;
    const { shards } = countedInput(await listInput(input), shardPattern);
    return shards.length >= count ? undefined : `${shards.length} of ${count} shards`;
  }
  // What can't be looked at doesn't keep the other days from being told of; who plans this one names it.
  const files =
    input.fileList === undefined
      ? await storage.list(folderUri(inputUri), () => {})
      : (await listInput(input)).shards;
  if (files.length === 0) return 'no file';
  // One by one: a call has no room for as many arguments as a partition may have files.
  const newest = files.reduce((latest, { modifiedMillis }) => Math.max(latest, modifiedMillis), 0);
  const quietMinutes = (nowMillis - newest) / MINUTE_MILLIS;
  const { minutes } = completeness;
  return quietMinutes >= minutes ? undefined : `quiet for ${Math.floor(quietMinutes)} of ${minutes} minutes`;
}

/** The date that a clock in a time zone shows. */
export function dayIn(timeZone: string, millis: number): string {
  const options = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', options).format(millis);
}

/** Hours of a day that clocks in a time zone never show, since they go forward. @param day YYYY-MM-DD */
export function skippedHours(timeZone: string, day: string): number[] {
  const options = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit' } as const;
  const format = new Intl.DateTimeFormat('sv-SE', options);
  const shown = new Set<string>();
  // Clocks differ from UTC by 14 hours at most, and some by quarters of an hour.
  const noon = Date.parse(`${day}T12:00:00Z`);
  for (let millis = noon - 27 * HOUR_MILLIS; millis <= noon + 27 * HOUR_MILLIS; millis += QUARTER_MILLIS) {
    shown.add(format.format(millis));
  }
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  return hours.filter((hour) => !shown.has(`${day} ${String(hour).padStart(2, '0')}`));
}
