import type { UnreadableFiles } from '../base/unreadableFiles.ts';
import { storageFor } from '../storage/openStorage.ts';
import { below, pointerPath } from './outputLayout.ts';
import { RunRecords } from './runRecord.ts';

/** How the last run of a partition ended, where it left nothing for readers. */
export interface LastFailure {
  /** As `run` told it. */
  readonly outcome: string;
  /** ISO 8601. */
  readonly endedAt: string;
  /** With their codes. */
  readonly problems: readonly string[];
}

/** What a gate has blocked has a note of its own, and what was held or superseded left readers what they are to see. */
const FAILURES: ReadonlySet<string> = new Set(['refused', 'incomplete', 'failed']);

/**
 * From the newest record of a partition; undefined where that run ended well, where something was published since, or where no
 * record is left.
 */
export async function lastFailure(
  root: string,
  partition: string,
  records: RunRecords,
  { attempt }: UnreadableFiles,
): Promise<LastFailure | undefined> {
  const last = await records.last(partition, attempt);
  if (last === undefined || !FAILURES.has(last.ended.outcome)) return undefined;
  const { outcome, problems } = last.ended;
  const { endMillis } = last;
  // Roll-backs write no such record, nor does a run that was cut off.
  if ((await lastFlip(root, partition)) > endMillis) return undefined;
  return { outcome, endedAt: new Date(endMillis).toISOString(), problems };
}

/** Of partitions that the newest runs were for, where no job says which there are. */
export async function recentFailures(
  root: string,
  unreadable: UnreadableFiles,
): Promise<(LastFailure & { readonly partition: string })[]> {
  const records = new RunRecords(root);
  const found: (LastFailure & { readonly partition: string })[] = [];
  for (const partition of await records.recentPartitions(unreadable.attempt)) {
    const failure = await lastFailure(root, partition, records, unreadable);
    if (failure !== undefined) found.push({ partition, ...failure });
  }
  return found;
}

/** Milliseconds since 1970; before all times without a pointer. */
async function lastFlip(root: string, partition: string): Promise<number> {
  const uri = below(root, pointerPath(partition));
  const storage = storageFor(uri);
  if ((await storage.stat(uri)) === undefined) return Number.NEGATIVE_INFINITY;
  const [listed] = await storage.list(uri);
  return listed?.modifiedMillis ?? Number.NEGATIVE_INFINITY;
}

const NAMED_PROBLEMS = 3;

/** Such as `the last run was refused, 2026-11-28T08:03:14Z: SHARD_TRUNCATED: ...`. */
export function describeFailure({ outcome, endedAt, problems }: LastFailure): string {
  const how = outcome === 'failed' ? outcome : `was ${outcome}`;
  const more = problems.length > NAMED_PROBLEMS ? [`and ${problems.length - NAMED_PROBLEMS} more`] : [];
  const why = [...problems.slice(0, NAMED_PROBLEMS), ...more].join('; ');
  return `the last run ${how}, ${endedAt.replace(/\.\d+Z$/, 'Z')}: ${why}`;
}
