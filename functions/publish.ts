import type { SQSBatchResponse } from 'aws-lambda';
import { type Ncs4cvrError, PartitionIncompleteError, PartitionRefusedError } from '../lib/base/errors.ts';
import { type PublishOutcome, publishPartition } from '../lib/publish/publishPartition.ts';
import { type PublishRequest, publishRequestSchema } from '../lib/publish/runPlan.ts';
import { announceOutcome } from './announcer.ts';
import { handleEach, isSqsEvent, parseEvent } from './events.ts';
import { planAndSend } from './planAndSend.ts';
import { readSettings } from './settings.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/** Publish requests from the queue, or one of the state machine's map. */
export function handler(event: unknown, invocation?: Invocation): Promise<PublishOutcome | SQSBatchResponse> {
  return observed(invocation, async () => {
    if (isSqsEvent(event)) return handleEach(event.Records, 'publishing failed', publishAsAsked);
    const request = parseEvent(publishRequestSchema, event);
    const outcome = await publish(request);
    if (outcome.kind === 'refused' || outcome.kind === 'incomplete') throw notPublished(outcome, request);
    return outcome;
  });
}

async function publishAsAsked(message: unknown): Promise<void> {
  const request = parseEvent(publishRequestSchema, message);
  const outcome = await publish(request);
  // An incomplete partition is waited for: the unit that is still out asks again when it is done.
  if (outcome.kind === 'refused') throw notPublished(outcome, request);
  // A run has published another model since: what landed is still to be scored with that one.
  if (outcome.kind === 'superseded') await planAndSend(request.partition, readSettings());
}

async function publish(request: PublishRequest): Promise<PublishOutcome> {
  const { partition, model } = request;
  const outcome = await traced('publish partition', { partition, model: model.version }, async () => {
    const ended = await publishPartition(request, request);
    await announceOutcome(request, ended);
    annotate('outcome', ended.kind);
    return ended;
  });
  metrics.addMetric(outcome.kind, 'Count', 1);
  const detail = 'pointer' in outcome ? { generation: outcome.pointer.generation } : outcome;
  logger.info(`${partition}: ${outcome.kind}`, { ...detail });
  return outcome;
}

function notPublished(
  outcome: Extract<PublishOutcome, { kind: 'refused' | 'incomplete' }>,
  { partition }: PublishRequest,
): Ncs4cvrError {
  if (outcome.kind === 'refused') {
    const summary = `${partition} is refused by a gate: ${outcome.problems.join('; ')}`;
    return new PartitionRefusedError('PUBLISH_REFUSED', summary);
  }
  const summary = `${outcome.missing.length} parts of ${partition} are missing; the input may have changed during the run`;
  return new PartitionIncompleteError('PUBLISH_INCOMPLETE', summary, { retryable: true });
}
