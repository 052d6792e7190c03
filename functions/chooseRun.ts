import { beginArrival } from '../lib/arrivals/finishArrival.ts';
import { encodeJson } from '../lib/base/jsonDocument.ts';
import type { ChoiceRemarks } from '../lib/job/choosePartitions.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { joinUri, parseS3Uri, type S3Location } from '../lib/storage/uri.ts';
import { choosePartitionItems } from './choosePartitionItems.ts';
import type { PartitionStep } from './partitionStep.ts';
import type { Settings } from './settings.ts';
import type { StartRequest } from './startRequest.ts';
import { logger } from './telemetry.ts';

/** What the run's map over partitions reads. */
export interface ChosenRun {
  /** A JSON array of partition steps. */
  readonly items: S3Location;
  readonly count: number;
  /** Partitions that are worked on at a time. */
  readonly partitionConcurrency: number;
  /** Where maps write what became of their items. */
  readonly results: { readonly bucket: string; readonly prefix: string };
}

/** Partitions of a run at a time: a partition that has few units doesn't keep the others waiting. */
const MOST_PARTITIONS_AT_A_TIME = 10;

/**
 * Chooses the partitions of a run, and writes them to `runs/NAME/partitions.json` below the output root.
 * @param name of the execution; the same call again leaves what is written
 */
export async function chooseRun(
  request: StartRequest,
  name: string,
  { JOB: job, MAP_CONCURRENCY }: Settings,
): Promise<ChosenRun> {
  const arrival = 'arrival' in request ? request.arrival : undefined;
  if (arrival !== undefined) {
    await beginArrival({ root: job.scores, partition: arrival.partition }, arrival.round);
  }
  const { items, remarks } = await choosePartitionItems(job, request, Date.now());
  logRemarks(remarks);
  const folder = parseS3Uri(joinUri(job.scores, 'runs', name));
  const results = { bucket: folder.bucket, prefix: folder.key };
  const partitionConcurrency = Math.min(items.length, MOST_PARTITIONS_AT_A_TIME, MAP_CONCURRENCY);
  const mapConcurrency = Math.floor(MAP_CONCURRENCY / partitionConcurrency);
  const steps: PartitionStep[] = items.map((item) => ({
    item,
    attempt: 0,
    mapConcurrency,
    results,
    ...(arrival === undefined ? {} : { arrival }),
  }));
  const uri = joinUri(job.scores, 'runs', name, 'partitions.json');
  await storageFor(uri).createIfAbsent(uri, encodeJson(steps));
  return { items: parseS3Uri(uri), count: items.length, partitionConcurrency, results };
}

/** Names in one record, whose size CloudWatch limits. */
const LOGGED = 100;

function logRemarks({ skipped, missingDays, gaps, sameTimes }: ChoiceRemarks): void {
  const warn = (message: string, key: string, names: readonly unknown[]) => {
    if (names.length > 0) logger.warn(message, { count: names.length, [key]: names.slice(0, LOGGED) });
  };
  warn('folders were passed over', 'skipped', skipped);
  warn('days without a partition', 'missingDays', missingDays);
  warn('days without hours or regions that the days around them have', 'gaps', gaps);
  warn('partitions of one time by their names, published each for itself', 'sameTimes', sameTimes);
}
