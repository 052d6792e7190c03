import { Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { UnreadableFiles } from '../base/unreadableFiles.ts';
import { type ChoiceRemarks, remarksOn } from '../job/choosePartitions.ts';
import type { JobDocument } from '../job/jobDocument.ts';
import { countedInput, listInput, type OpenedInput, openJobInput, whyNoInput } from '../job/jobInput.ts';
import type { DayRange } from '../job/listPartitions.ts';
import { type LaidOutPartition, layOutPartition } from '../job/partitionLayout.ts';
import { notReadyText, whyNotReady } from '../job/readiness.ts';
import { type BlockedPartition, blockedNow } from './blockedPartition.ts';
import { UNLISTABLE } from './brokenShard.ts';
import { type LastFailure, lastFailure } from './lastFailure.ts';
import { readManifest } from './manifest.ts';
import { isShadowRoot } from './outputLayout.ts';
import { type Pointer, readPointer } from './pointer.ts';
import { type DamagedPartition, damagedPartition } from './publishedState.ts';
import { RunRecords } from './runRecord.ts';

/**
 * Where a partition of the input stands: `landing` (not published, and not ready to be), `complete` (ready, not published),
 * `published` (`shadowed` below the root of a shadow run, which no reader sees), `late` (published, but shards have landed, changed or gone since, or the manifest is damaged), `blocked` (the last run would have published, and a
 * gate kept it from readers), or `held` by an operator.
 */
type PartitionStage = 'landing' | 'complete' | 'published' | 'shadowed' | 'late' | 'blocked' | 'held';

export interface PartitionState {
  readonly partition: string;
  readonly stage: PartitionStage;
  /** In words, such as which shards are new. */
  readonly reason: string | undefined;
  /** Null for a partition that was never published. */
  readonly pointer: Pointer | null;
  /** Undefined where the last run that is recorded went well, where it is out of date, or where there is none. */
  readonly lastFailure: LastFailure | undefined;
}

/** What is read of all partitions of a root together. */
interface RootRecords {
  readonly runs: RunRecords;
  /** Takes those that can't be read. */
  readonly unreadable: UnreadableFiles;
}

/** Partitions that are looked at at a time. */
const LOOKS_AT_A_TIME = 8;
/** Shards that are named in one reason. */
const NAMED_SHARDS = 3;

/**
 * Where one partition of a job's input stands: requests for its pointer and manifest, a listing of its shards, and once for all
 * partitions the newest records of runs.
 * @param records where the last failure is asked for
 */
export async function partitionState(
  job: JobDocument,
  input: OpenedInput,
  partition: string,
  nowMillis: number,
  records?: RootRecords,
): Promise<PartitionState> {
  const { pointer = null } = await readPointer(job.scores, partition);
  const blocked =
    pointer !== null && pointer.hold !== null
      ? undefined
      : await blockedNow(job.scores, partition, pointer?.generation ?? 0);
  if (blocked !== undefined)
    return { partition, stage: 'blocked', reason: blockedReason(blocked), pointer, lastFailure: undefined };
  if (pointer !== null && pointer.hold !== null)
    return { partition, stage: 'held', reason: pointer.hold, pointer, lastFailure: undefined };
  const last = {
    lastFailure: records && (await lastFailure(job.scores, partition, records.runs, records.unreadable)),
  };
  if (pointer === null) {
    const laidOut = layOutPartition(job.layout, partition);
    const reason =
      typeof laidOut === 'string'
        ? laidOut
        : ((await whyLanding(job, input, laidOut, nowMillis)) ?? (await whyEmpty(job, input, partition)));
    return { partition, stage: reason === undefined ? 'complete' : 'landing', reason, pointer, ...last };
  }
  const reason = await whyLate(job, input, partition, pointer);
  const visible = isShadowRoot(job.scores) ? 'shadowed' : 'published';
  return { partition, stage: reason === undefined ? visible : 'late', reason, pointer, ...last };
}

/** Problems of a blocked partition that are named in one line. */
const NAMED_PROBLEMS = 3;

export function blockedReason({ problems }: BlockedPartition): string {
  const more = problems.length > NAMED_PROBLEMS ? ` and ${problems.length - NAMED_PROBLEMS} more` : '';
  return `${problems.slice(0, NAMED_PROBLEMS).join('; ')}${more}`;
}

async function whyLanding(
  job: JobDocument,
  input: OpenedInput,
  laidOut: LaidOutPartition,
  nowMillis: number,
): Promise<string | undefined> {
  const notReady = await whyNotReady(job, input, [laidOut], nowMillis);
  return notReady && notReadyText(notReady, laidOut.partition);
}

/** A folder alone, or a marker beside nothing, is no day that could be published, whatever the job waits for. */
async function whyEmpty(
  { shardPattern }: JobDocument,
  input: OpenedInput,
  partition: string,
): Promise<string | undefined> {
  // Others are looked into, which takes a request for each.
  const isNamedSo = ({ relativePath }: { readonly relativePath: string }) =>
    relativePath.endsWith('.parquet');
  try {
    const listed = await listInput(input.inputPartition(partition), isNamedSo);
    const { shards, unlistable } = countedInput(listed, shardPattern);
    return shards.length + unlistable.length === 0 ? 'no shard' : undefined;
  } catch (error) {
    if (error instanceof Ncs4cvrError && error.code.startsWith('INPUT_')) return error.message;
    throw error;
  }
}

async function whyLate(
  job: JobDocument,
  input: OpenedInput,
  partition: string,
  { current }: Pointer,
): Promise<string | undefined> {
  const manifest = await readManifest(job.scores, current).catch(damageOf);
  if (typeof manifest === 'string') return manifest;
  const { parts, broken } = manifest;
  const published = new Map(
    [...parts.flatMap(({ spans }) => spans), ...broken].map(({ shard, version }) => [shard, version]),
  );
  const isKnown = ({ relativePath }: { readonly relativePath: string }) => published.has(relativePath);
  const listed = await listInput(input.inputPartition(partition), isKnown).catch(listProblems);
  if (typeof listed === 'string') return listed;
  const { shards, unlistable } = countedInput(listed, job.shardPattern);
  const found = new Map([
    ...shards.map(({ relativePath, version }) => [relativePath, version] as const),
    ...unlistable.map(({ relativePath }) => [relativePath, UNLISTABLE] as const),
  ]);
  const fresh = [...found].filter(([shard, version]) => published.get(shard) !== version);
  const gone = [...published.keys()].filter((shard) => !found.has(shard));
  const reasons = [
    named(
      'new or changed',
      fresh.map(([shard]) => shard),
    ),
    named('gone', gone),
  ].filter((text) => text !== '');
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

/** In words what is wrong with a document that is visible, which another publication mends. */
function damageOf(error: unknown): string {
  if (error instanceof Ncs4cvrError && !error.retryable) return error.message;
  throw error;
}

/** In words what is wrong with a list's files of one partition, which doesn't keep the others from being looked at. */
function listProblems(error: unknown): string {
  if (error instanceof ProblemsError && error.code.startsWith('INPUT_LIST_'))
    return error.problems.join('; ');
  throw error;
}

function named(what: string, shards: readonly string[]): string {
  if (shards.length === 0) return '';
  const rest = shards.length > NAMED_SHARDS ? ` and ${shards.length - NAMED_SHARDS} more` : '';
  return `${what}: ${shards.slice(0, NAMED_SHARDS).join(', ')}${rest}`;
}

/**
 * Where all partitions of a job's input stand.
 * @throws Ncs4cvrError PLAN_NO_PARTITION where there is no such input
 */
export async function partitionStates(
  job: JobDocument,
  range: DayRange | undefined,
  nowMillis: number,
): Promise<
  ChoiceRemarks & {
    /** By time. */
    readonly states: readonly PartitionState[];
    /** Partitions whose state can't be told, since a document of theirs is damaged. */
    readonly damaged: readonly DamagedPartition[];
    /** Records of runs that tell nothing since they can't be read, with code and file. */
    readonly unreadable: readonly string[];
  }
> {
  const input = await openJobInput(job);
  const { partitions, skipped } = await input.listPartitions(range);
  const absence = partitions.length === 0 ? await whyNoInput(job.input) : undefined;
  if (absence !== undefined) {
    const summary = 'there is no partition to tell of';
    throw new Ncs4cvrError('PLAN_NO_PARTITION', summary, { file: job.input, found: absence });
  }
  const records = { runs: new RunRecords(job.scores), unreadable: new UnreadableFiles() };
  const states = await mapConcurrently(partitions, LOOKS_AT_A_TIME, ({ partition }: LaidOutPartition) =>
    stateOrDamage(partition, () => partitionState(job, input, partition, nowMillis, records)),
  );
  return {
    states: states.filter((each): each is PartitionState => !isDamaged(each)),
    damaged: states.filter(isDamaged),
    ...(await remarksOn(job, input, { partitions, skipped }, nowMillis)),
    unreadable: records.unreadable.problems,
  };
}

async function stateOrDamage(
  partition: string,
  read: () => Promise<PartitionState>,
): Promise<PartitionState | DamagedPartition> {
  try {
    return await read();
  } catch (error) {
    return damagedPartition(partition, error);
  }
}

function isDamaged(state: PartitionState | DamagedPartition): state is DamagedPartition {
  return 'damage' in state;
}
