import { DAY_MILLIS, HOUR_MILLIS } from '../lib/base/calendarDay.ts';
import { furthestBehind } from '../lib/base/furthestBehind.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { type LaidOutPartition, layOutPartition } from '../lib/job/partitionLayout.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { joinUri } from '../lib/storage/uri.ts';
import { readSettings } from './settings.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';

/** The newest partition that was ever published, of the region that is furthest behind. */
export interface Freshness {
  readonly partition: string;
  /** Whole hours since its day, or its hour, ended; 0 while it lasts. */
  readonly ageHours: number;
}

/**
 * Called every hour, whatever runs do: counts how old the newest published scores are, of several regions those of the one that
 * is furthest behind. Nothing is counted before the first publication, and under a layout without a day.
 */
export function handler(_event: unknown, invocation?: Invocation): Promise<Freshness | null> {
  return observed(invocation, async () => {
    const { JOB: job } = readSettings();
    const found = newestPublished(job.layout.hasDay ? await publishedPartitions(job) : [], job, Date.now());
    if (found === undefined) {
      logger.info('nothing to tell the age of', { layout: job.layout.text });
      return null;
    }
    metrics.addMetric('newestPublishedAgeHours', 'Count', found.ageHours);
    logger.info(`${found.partition} says how fresh the scores are`, { ...found });
    return found;
  });
}

/** A pointer's name is its partition's: listing is enough. */
async function publishedPartitions({ scores }: JobDocument): Promise<string[]> {
  // With a slash at its end nobody looks for an object of this name.
  const root = joinUri(scores, 'pointers', '');
  const files = await storageFor(root).list(root);
  return files.flatMap(({ relativePath }) => /^(.+)\.json$/.exec(relativePath)?.[1] ?? []);
}

/**
 * Days that haven't begun don't count unless the job takes them: a partition with a wrong date would pass for fresh scores
 * for years.
 * @param nowMillis since 1970
 */
export function newestPublished(
  partitions: readonly string[],
  { layout, timeZone, newest }: Pick<JobDocument, 'layout' | 'timeZone' | 'newest'>,
  nowMillis: number,
): Freshness | undefined {
  const now = wallClock(timeZone, nowMillis);
  const found = furthestBehind(
    partitions.flatMap((partition) => {
      const laidOut = layOutPartition(layout, partition);
      if (typeof laidOut === 'string') return [];
      const period = periodOf(laidOut);
      if (period === undefined || (period.start > now && !newest.allowFuture)) return [];
      return [{ partition, region: laidOut.others.join('/'), endMillis: period.end }];
    }),
  );
  if (found === undefined) return undefined;
  const { partition, endMillis } = found;
  return { partition, ageHours: Math.max(0, Math.floor((now - endMillis) / HOUR_MILLIS)) };
}

/** As `wallClock` tells time. */
function periodOf({ day, hour }: LaidOutPartition): { start: number; end: number } | undefined {
  if (day === undefined) return undefined;
  const start = Date.parse(day) + (hour ?? 0) * HOUR_MILLIS;
  return { start, end: start + (hour === undefined ? DAY_MILLIS : HOUR_MILLIS) };
}

/** What a clock in a time zone shows, as milliseconds of UTC. Off by an hour for the night in which clocks change. */
function wallClock(timeZone: string, millis: number): number {
  const options = { timeZone, dateStyle: 'short', timeStyle: 'medium' } as const;
  // Sweden writes dates as ISO 8601 does.
  return Date.parse(`${new Intl.DateTimeFormat('sv-SE', options).format(millis).replace(' ', 'T')}Z`);
}
