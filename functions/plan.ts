import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { partitionOf } from '../lib/job/choosePartitions.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { isShard } from '../lib/storage/listShards.ts';
import { joinUri } from '../lib/storage/uri.ts';
import { handleEach, isSqsEvent, notifiedObjects, parseEvent } from './events.ts';
import { planAndSend } from './planAndSend.ts';
import { type PlannedRun, planRun, startRequestSchema } from './planRun.ts';
import { readSettings, type Settings } from './settings.ts';
import { type Invocation, logFailure, logger, metrics, observed } from './telemetry.ts';
import { traced } from './traced.ts';

/** A run request of the state machine, or a batch of S3 events: work units, written for a Map or sent to the queue. */
export function handler(event: unknown, invocation?: Invocation): Promise<PlannedRun | SQSBatchResponse> {
  return observed(invocation, async () => {
    const settings = readSettings();
    if (isSqsEvent(event)) return planEvents(event, settings);
    const request = parseEvent(startRequestSchema, event);
    const planned = await traced('plan run', {}, () => planRun(request, settings));
    metrics.addMetric('unitsPlanned', 'Count', planned.unitCount);
    logger.info('planned a run', { ...planned });
    return planned;
  });
}

/** Every partition that a shard landed in is planned once; its messages come again when that fails. */
async function planEvents({ Records }: SQSEvent, settings: Settings): Promise<SQSBatchResponse> {
  const messagesOf = new Map<string, Set<string>>();
  const { batchItemFailures } = await handleEach(Records, 'no S3 notification', async (message, id) => {
    for (const uri of notifiedObjects(message)) {
      const found = partitionToPlan(settings.JOB, uri);
      if ('reason' in found) logger.warn('an object was passed over', { uri, reason: found.reason });
      else messagesOf.set(found.partition, (messagesOf.get(found.partition) ?? new Set()).add(id));
    }
  });
  const failed = new Set<string>();
  for (const [partition, messageIds] of messagesOf) {
    try {
      await planAndSend(partition, settings);
    } catch (error) {
      logFailure(`planning ${partition} failed`, error);
      for (const id of messageIds) failed.add(id);
    }
  }
  return { batchItemFailures: [...batchItemFailures, ...[...failed].map(itemFailure)] };
}

/** The partition that an object belongs to as a shard; in words why to none. */
function partitionToPlan({ input, layout }: JobDocument, uri: string): ReturnType<typeof partitionOf> {
  const found = partitionOf(input, layout, uri);
  if ('reason' in found || isShard(uri.slice(joinUri(input, found.partition, '').length))) return found;
  return { reason: 'hidden, or not named as a shard' };
}

const itemFailure = (itemIdentifier: string) => ({ itemIdentifier });
