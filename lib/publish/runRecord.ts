import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { messageOf } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { modelIdentitySchema } from './modelIdentity.ts';
import { below, decodeOutputDocument, OUTPUT_FORMAT_VERSION, runRecordPath } from './outputLayout.ts';
import type { Part } from './part.ts';
import type { RunPlan } from './runPlan.ts';

const seconds = z.number().min(0);

const stepSchema = z.strictObject({
  /** Of the part. */
  partId: z.string(),
  rows: z.int().min(0),
  /** Since the run began. */
  startSeconds: seconds,
  seconds,
  /** `done`: somebody else had done it; `dropped`: a shard of it is broken, replaced or gone, and it is cut anew. */
  state: z.enum(['scored', 'done', 'dropped', 'failed']),
  /** Why it was dropped or has failed. */
  problem: z.string().nullable(),
});

const endedPartitionSchema = z.strictObject({
  partition: z.string(),
  /** Since the run began. */
  startSeconds: seconds,
  seconds,
  /** As `PublishOutcome`, `blocked` for what a gate has refused, or `failed`. */
  outcome: z.string(),
  /** What stood against it, in words. */
  problems: z.array(z.string()).readonly(),
});

const recordedPartitionSchema = endedPartitionSchema.extend({
  /** As planned, those that were done before among them. */
  rows: z.int().min(0),
  /** Done before. */
  rowsDone: z.int().min(0),
  /** As planned, those that were done before among them. */
  parts: z.int().min(0),
  /** Done before. */
  partsDone: z.int().min(0),
  /** Of its shards. */
  sizeBytes: z.int().min(0),
  /** Attempts at parts, in the order in which they ended. */
  steps: z.array(stepSchema).readonly(),
});

const anyRecordSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  codeVersion: z.string(),
  startedAt: z.iso.datetime(),
  /** Of the whole run. */
  seconds,
  model: modelIdentitySchema,
  /** URI of the bundle. */
  modelUri: z.string(),
  /** Of the job document. */
  jobDigest: z.string(),
});

/** @internal exported for the reference of documents */
export const runRecordSchema = anyRecordSchema.extend({
  /** Scoring threads. */
  workers: z.int().min(1),
  /** What `plan` said of it, for the state machine; null where nobody asked. */
  estimate: z.strictObject({ minutes: z.number(), dollars: z.number() }).nullable(),
  /** In the order in which they ended. */
  partitions: z.array(recordedPartitionSchema).readonly(),
});

/** @internal exported for the reference of documents */
export const executionRecordSchema = anyRecordSchema.extend({
  /** Name of the state machine's execution. */
  execution: z.string(),
  /** In the order in which they ended. */
  partitions: z.array(endedPartitionSchema).readonly(),
});

/** How a run by the state machine ended. When it did what is told by what its maps leave below `runs/`. */
export type ExecutionRecord = Readonly<z.infer<typeof executionRecordSchema>>;
export type EndedPartition = Readonly<z.infer<typeof endedPartitionSchema>>;

/**
 * When a run on one machine did what. Apart from receipts, manifests and audit documents, whose bytes follow from the work: no
 * reader and no run needs it.
 */
export type RunRecord = Readonly<z.infer<typeof runRecordSchema>>;
export type RecordedPartition = RunRecord['partitions'][number];
export type RecordedStep = RecordedPartition['steps'][number];

/** Notes what a run does while it does it. */
export class RunRecorder {
  readonly #startedMillis = Date.now();
  readonly #start = performance.now();
  readonly #partitions: RecordedPartition[] = [];

  get #seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** @returns to be called with how the partition ended */
  beginPartition({ partition, parts, done, sizeBytes }: RunPlan['partitions'][number]): {
    readonly beginPart: (part: Part) => (state: RecordedStep['state'], error?: unknown) => void;
    readonly end: (outcome: string, problems: readonly string[]) => void;
  } {
    const startSeconds = this.#seconds;
    const steps: RecordedStep[] = [];
    const rowsOf = (some: readonly Part[]) => some.reduce((sum, { rows }) => sum + rows, 0);
    return {
      beginPart: ({ partId, rows }) => {
        const begun = this.#seconds;
        return (state, error) => {
          const problem = error === undefined ? null : messageOf(error);
          steps.push({ partId, rows, startSeconds: begun, seconds: this.#seconds - begun, state, problem });
        };
      },
      end: (outcome, problems) => {
        this.#partitions.push({
          ...{ partition, rows: rowsOf(parts), parts: parts.length, partsDone: done.length, sizeBytes },
          rowsDone: rowsOf(done.map((place) => parts[place]!)),
          ...{ startSeconds, seconds: this.#seconds - startSeconds, outcome, problems, steps },
        });
      },
    };
  }

  /** What was noted so far. */
  record(
    { model, modelUri, jobDigest }: RunPlan,
    workers: number,
    estimate: RunRecord['estimate'],
  ): RunRecord {
    return {
      formatVersion: OUTPUT_FORMAT_VERSION,
      codeVersion: CODE_VERSION,
      startedAt: new Date(this.#startedMillis).toISOString(),
      seconds: this.#seconds,
      ...{ workers, model, modelUri, jobDigest, estimate },
      partitions: [...this.#partitions],
    };
  }
}

/** @returns its URI. The name begins with the time: names sort as the runs began */
export async function writeRunRecord(root: string, record: RunRecord): Promise<string> {
  const time = record.startedAt.replace(/[:.]/g, '-');
  const uri = below(root, runRecordPath(`${time}-${randomBytes(4).toString('hex')}`));
  await storageFor(uri).createIfAbsent(uri, encodeJson(record));
  return uri;
}

/**
 * Of one execution there is one record, however often it is written.
 * @returns its URI
 */
export async function writeExecutionRecord(root: string, record: ExecutionRecord): Promise<string> {
  const time = record.startedAt.replace(/[:.]/g, '-');
  const id = createHash('sha256').update(record.execution).digest('hex').slice(0, 8);
  const uri = below(root, runRecordPath(`${time}-${id}${OF_EXECUTION}`));
  await storageFor(uri).createIfAbsent(uri, encodeJson(record));
  return uri;
}

/** Ends the name of an execution's record. */
const OF_EXECUTION = '-execution';

function isOfExecution(uri: string): boolean {
  return uri.endsWith(`${OF_EXECUTION}.json`);
}

/**
 * Records that are read to find those of a partition, or what the newest runs were for, the newest first. A stage of hourly
 * partitions has many in a day.
 */
const MOST_READ = 400;
const READS_AT_A_TIME = 16;

/** Of an output root. However many partitions are asked for, each record is read once, and few more than are needed. */
export class RunRecords {
  readonly #root: string;
  #newest: Promise<ListedFile[]> | undefined;
  #last: Promise<ReadonlyMap<string, LastRun>> | undefined;
  readonly #read = new Map<string, Promise<RunRecord | ExecutionRecord>>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Those of runs on one machine, the newest that have something of a partition, the last run first.
   * @param most how many
   * @param attempt makes of a record that can't be read what the caller does without
   */
  async of(partition: string, most: number, attempt: Attempt = (read) => read()): Promise<RunRecord[]> {
    const found = await this.#find(partition, most, attempt, (uri) => !isOfExecution(uri));
    return found.filter((record): record is RunRecord => 'workers' in record);
  }

  /**
   * How the run of a partition has ended that was the last one to end, on one machine or by the state machine: of two that
   * overlap, the one that began first may be.
   */
  async last(partition: string, attempt: Attempt): Promise<LastRun | undefined> {
    return (await this.#lastRuns(attempt)).get(partition);
  }

  /** Partitions that the newest runs were for, in binary order. */
  async recentPartitions(attempt: Attempt): Promise<string[]> {
    return [...(await this.#lastRuns(attempt)).keys()].sort();
  }

  /** Of all partitions at once: each may be asked about. */
  #lastRuns(attempt: Attempt): Promise<ReadonlyMap<string, LastRun>> {
    this.#last ??= this.#findLastRuns(attempt);
    return this.#last;
  }

  async #findLastRuns(attempt: Attempt): Promise<ReadonlyMap<string, LastRun>> {
    const found = new Map<string, LastRun>();
    for await (const records of this.#inBatches(await this.#recent(), attempt)) {
      for (const record of records) {
        for (const ended of record.partitions) {
          const endMillis = endOf(record, ended);
          const last = found.get(ended.partition);
          if (last === undefined || endMillis > last.endMillis)
            found.set(ended.partition, { endMillis, ended });
        }
      }
    }
    return found;
  }

  /** The newest first, by when the runs began. */
  #listed(): Promise<ListedFile[]> {
    this.#newest ??= listIfAny(joinUri(this.#root, 'run-records')).then((listed) => listed.toReversed());
    return this.#newest;
  }

  /**
   * Those of the runs that began last and of those that ended last, which a run of days on one machine may be among after any
   * number of others has begun.
   */
  async #recent(): Promise<string[]> {
    const listed = await this.#listed();
    const ended = listed.toSorted((a, b) => b.modifiedMillis - a.modifiedMillis);
    const recent = [...listed.slice(0, MOST_READ), ...ended.slice(0, MOST_READ)];
    return [...new Set(recent.map(({ uri }) => uri))];
  }

  async #find(
    partition: string,
    most: number,
    attempt: Attempt,
    isMeant: (uri: string) => boolean,
  ): Promise<(RunRecord | ExecutionRecord)[]> {
    const uris = (await this.#listed()).map(({ uri }) => uri);
    const meant = uris.filter(isMeant).slice(0, MOST_READ);
    const found: (RunRecord | ExecutionRecord)[] = [];
    for await (const records of this.#inBatches(meant, attempt)) {
      found.push(...records.filter((each) => partitionIn(each, partition)));
      if (found.length >= most) break;
    }
    return found.slice(0, most);
  }

  /** Those that can be read, some at a time. */
  async *#inBatches(
    uris: readonly string[],
    attempt: Attempt,
  ): AsyncGenerator<readonly (RunRecord | ExecutionRecord)[]> {
    for (let from = 0; from < uris.length; from += READS_AT_A_TIME) {
      const some = uris.slice(from, from + READS_AT_A_TIME);
      const read = await Promise.all(some.map((uri) => attempt(() => this.#record(uri))));
      yield read.filter((each) => each !== undefined);
    }
  }

  #record(uri: string): Promise<RunRecord | ExecutionRecord> {
    const known = this.#read.get(uri) ?? readRunRecord(uri);
    this.#read.set(uri, known);
    return known;
  }
}

type Attempt = <T>(read: () => Promise<T>) => Promise<T | undefined>;

interface LastRun {
  /** Since 1970, of the partition. */
  readonly endMillis: number;
  readonly ended: EndedPartition;
}

function endOf({ startedAt }: RunRecord | ExecutionRecord, ended: EndedPartition): number {
  return Math.round(Date.parse(startedAt) + 1000 * (ended.startSeconds + ended.seconds));
}

function partitionIn(
  { partitions }: RunRecord | ExecutionRecord,
  partition: string,
): EndedPartition | undefined {
  return partitions.find((each) => each.partition === partition);
}

async function readRunRecord(uri: string): Promise<RunRecord | ExecutionRecord> {
  const bytes = await storageFor(uri).readWhole(uri);
  return isOfExecution(uri)
    ? decodeOutputDocument(bytes, executionRecordSchema, 'run record', uri)
    : decodeOutputDocument(bytes, runRecordSchema, 'run record', uri);
}
