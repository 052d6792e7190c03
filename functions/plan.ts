import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { partitionOf } from '../lib/publish/selectPartitions.ts';
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
      const partition = partitionOf(settings.INPUT_URI, uri);
      if (partition === undefined) logger.warn('an object outside of the partitions was ignored', { uri });
      else messagesOf.set(partition, (messagesOf.get(partition) ?? new Set()).add(id));
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

const itemFailure = (itemIdentifier: string) => ({ itemIdentifier });
