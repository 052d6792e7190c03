import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { publishRequests } from '../lib/publish/runPlan.ts';
import { inputPartition, partitionOf } from '../lib/publish/selectPartitions.ts';
import { workUnits } from '../lib/publish/workUnits.ts';
import { sendMessages } from './messageQueue.ts';
import { parseDocument } from './parseDocument.ts';
import { type PlannedRun, planPartitions, planRun, runRequestSchema } from './planRun.ts';
import { objectEvents } from './s3Events.ts';
import { readSettings, type Settings } from './settings.ts';
import { isSqsEvent } from './sqsBatch.ts';
import { logger, metrics, publishMetrics } from './telemetry.ts';

/** A run request of the state machine, or a batch of S3 events: work units, written for a Map or sent to the queue. */
export async function handler(event: unknown): Promise<PlannedRun | SQSBatchResponse> {
  const settings = readSettings();
  try {
    if (isSqsEvent(event)) return await planEvents(event, settings);
    const planned = await planRun(parseDocument(runRequestSchema, event), settings);
    metrics.addMetric('unitsPlanned', 'Count', planned.unitCount);
    logger.info('planned a run', { ...planned });
    return planned;
  } finally {
    publishMetrics();
  }
}

/** Every partition that a shard landed in is planned once; its messages are taken back when that fails. */
async function planEvents({ Records }: SQSEvent, settings: Settings): Promise<SQSBatchResponse> {
  const failed = new Set<string>();
  const messagesOf = new Map<string, string[]>();
  const refuse = (messageId: string, error: Error) => {
    logger.error('a message is no S3 notification', { error, messageId });
    failed.add(messageId);
  };
  for (const { uri, messageIds } of objectEvents(Records, refuse)) {
    const partition = partitionOf(settings.INPUT_URI, uri);
    if (partition === undefined) logger.warn('an object outside of the partitions was passed over', { uri });
    else messagesOf.set(partition, [...(messagesOf.get(partition) ?? []), ...messageIds]);
  }
  for (const [partition, messageIds] of messagesOf) {
    try {
      await planAndSend(partition, settings);
    } catch (error) {
      logger.error(`planning ${partition} failed`, error as Error);
      for (const id of messageIds) failed.add(id);
    }
  }
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
}

async function planAndSend(partition: string, settings: Settings): Promise<void> {
  const { INPUT_URI, MODEL_URI, UNITS_QUEUE_URL, PUBLISH_QUEUE_URL } = settings;
  const plan = await planPartitions(settings, MODEL_URI, [inputPartition(INPUT_URI, partition)]);
  const units = workUnits(plan);
  await sendMessages(UNITS_QUEUE_URL, units);
  // Everything is done already: a shard was removed, or a publication was lost.
  if (units.length === 0) await sendMessages(PUBLISH_QUEUE_URL, publishRequests(plan));
  metrics.addMetric('unitsPlanned', 'Count', units.length);
  logger.info(`planned ${partition}`, { units: units.length, done: plan.partitions[0]!.done.length });
}
