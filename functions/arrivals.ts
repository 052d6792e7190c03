import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { finishArrival } from '../lib/arrivals/finishArrival.ts';
import { type ArrivalOptions, noticeArrival } from '../lib/arrivals/noticeArrival.ts';
import { mapConcurrently } from '../lib/base/mapConcurrently.ts';
import { partitionOf } from '../lib/job/choosePartitions.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { folderPartition, refuseArrivalsOfList } from '../lib/job/jobInput.ts';
import { isHidden } from '../lib/storage/storage.ts';
import { joinUri } from '../lib/storage/uri.ts';
import { readArrivalMessage } from './arrivalMessages.ts';
import { executionsOf } from './executionsOf.ts';
import { readSettings } from './settings.ts';
import { type Invocation, logFailure, logger, observed } from './telemetry.ts';

/** Partitions whose documents are written at a time. */
const PARTITIONS_AT_A_TIME = 8;
/** Names in one record, whose size CloudWatch limits. */
const LOGGED = 5;

/**
 * A batch of the events queue: every partition that something landed in is noticed once, and runs that ended without finishing
 * are finished. Messages that can't be read, and those whose work failed, are named in the answer and come again.
 */
export function handler(event: SQSEvent, invocation?: Invocation): Promise<SQSBatchResponse> {
  return observed(invocation, async () => {
    const { JOB: job, STATE_MACHINE_ARN, ARRIVAL_WAIT_SECONDS: waitSeconds } = readSettings();
    if (STATE_MACHINE_ARN === undefined) throw new Error('STATE_MACHINE_ARN is missing from the environment');
    refuseArrivalsOfList(job);
    const options = { waitSeconds, start: executionsOf(STATE_MACHINE_ARN) };
    const batch = sortOut(event, job);
    batch.passedOver.log();
    const failed = new Set(batch.unread);
    await mapConcurrently([...batch.chores], PARTITIONS_AT_A_TIME, async ([, chore]) => {
      try {
        await chore.work({ root: job.scores, options });
      } catch (error) {
        logFailure(chore.failure, error);
        for (const id of chore.messageIds) failed.add(id);
      }
    });
    const counts = { messages: event.Records.length, chores: batch.chores.size, failed: failed.size };
    logger.info('worked through what landed', counts);
    return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
  });
}

/** What some messages ask for. */
interface Chore {
  readonly failure: string;
  readonly work: (to: { readonly root: string; readonly options: ArrivalOptions }) => Promise<void>;
  readonly messageIds: Set<string>;
}

interface Batch {
  /** By what is to be done, so that nothing is done twice. */
  readonly chores: ReadonlyMap<string, Chore>;
  /** Ids of the messages that nobody understands. */
  readonly unread: readonly string[];
  readonly passedOver: PassedOver;
}

function sortOut({ Records }: SQSEvent, job: JobDocument): Batch {
  const chores = new Map<string, Chore>();
  const unread: string[] = [];
  const passedOver = new PassedOver();
  const add = (messageId: string, name: string, work: Chore['work']) => {
    const chore = chores.get(name) ?? { failure: `${name} failed`, work, messageIds: new Set() };
    chores.set(name, chore);
    chore.messageIds.add(messageId);
  };
  for (const { messageId, body } of Records) {
    try {
      const message = readArrivalMessage(body);
      if (message.kind === 'ended') {
        const { partition, round } = message.arrival;
        const name = `finishing round ${round} of ${partition}`;
        add(messageId, name, ({ root, options }) => finishArrival({ root, partition }, round, options));
      }
      if (message.kind !== 'objects') continue;
      for (const uri of message.uris) {
        const found = landedIn(job, uri);
        if ('reason' in found) {
          passedOver.add(uri, found.reason);
          continue;
        }
        const { partition } = found;
        const name = `noticing an arrival in ${partition}`;
        add(messageId, name, ({ root, options }) => noticeArrival({ root, partition }, options));
      }
    } catch (error) {
      logFailure('a message was not understood', error, { messageId });
      unread.push(messageId);
    }
  }
  return { chores, unread, passedOver };
}

/**
 * The partition that an object may be a shard of; in words why of none. What has no ending counts too: only its content tells,
 * which the plan reads. A marker may be what the other shards have waited for.
 */
function landedIn({ input, layout, completeness }: JobDocument, uri: string): ReturnType<typeof partitionOf> {
  const found = partitionOf(input, layout, uri);
  if ('reason' in found) return found;
  const path = uri.slice(joinUri(folderPartition(input, found.partition).inputUri, '').length);
  if (completeness.kind === 'marker' && path === completeness.file) return found;
  if (path.split('/').some(isHidden)) return { reason: 'hidden or temporary' };
  // Consoles and file systems on S3 put empty objects where they show folders.
  return path === '' || path.endsWith('/') ? { reason: 'a folder' } : found;
}

/** Objects that no run is started for, counted by the reason. */
class PassedOver {
  readonly #uris = new Map<string, string[]>();

  add(uri: string, reason: string): void {
    const known = this.#uris.get(reason);
    if (known === undefined) this.#uris.set(reason, [uri]);
    else known.push(uri);
  }

  log(): void {
    for (const [reason, uris] of this.#uris) {
      logger.info('objects were passed over', { reason, count: uris.length, objects: uris.slice(0, LOGGED) });
    }
  }
}
