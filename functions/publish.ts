import { type Ncs4cvrError, PartitionIncompleteError, PartitionRefusedError } from '../lib/base/errors.ts';
import { type PartitionRun, partitionRunSchema } from '../lib/publish/partitionRun.ts';
import { type PublishOutcome, publishPartition } from '../lib/publish/publishPartition.ts';
import { announceOutcome } from './announcer.ts';
import { parseEvent } from './events.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/** Publishes one partition of a run. */
export function handler(event: unknown, invocation?: Invocation): Promise<PublishOutcome> {
  return observed(invocation, async () => {
    const run = parseEvent(partitionRunSchema, event);
    const outcome = await publish(run);
    if (outcome.kind === 'refused' || outcome.kind === 'incomplete') throw notPublished(outcome, run);
    return outcome;
  });
}

async function publish(run: PartitionRun): Promise<PublishOutcome> {
  const { partition, model } = run;
  const outcome = await traced('publish partition', { partition, model: model.version }, async () => {
    const ended = await publishPartition(run);
    await announceOutcome(run, ended);
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
  { partition }: PartitionRun,
): Ncs4cvrError {
  if (outcome.kind === 'refused') {
    const summary = `${partition} is refused by a gate: ${outcome.problems.join('; ')}`;
    return new PartitionRefusedError('PUBLISH_REFUSED', summary);
  }
  const summary = `${outcome.missing.length} parts of ${partition} are missing; the input may have changed during the run`;
  return new PartitionIncompleteError('PUBLISH_INCOMPLETE', summary, { retryable: true });
}
