import { type PublishOutcome, publishPartition } from '../lib/publish/publishPartition.ts';
import { type PublishRequest, publishRequestSchema } from '../lib/publish/runPlan.ts';
import { parseEvent } from './events.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/** How a publication ended, small enough for a state's output. */
interface PublishedItem {
  readonly kind: PublishOutcome['kind'];
  /** Of the pointer, where it was flipped or stands as it is. */
  readonly generation?: number;
  /** Names the failure that the partition ends with, unless it is tried again. */
  readonly error?: 'PartitionIncomplete' | 'PartitionRefused';
  /** What stands against all being well, in words. */
  readonly problem?: string;
}

/** A partition of the state machine's map. */
export function handler(event: unknown, invocation?: Invocation): Promise<PublishedItem> {
  return observed(invocation, async () => publish(parseEvent(publishRequestSchema, event)));
}

async function publish(request: PublishRequest): Promise<PublishedItem> {
  const { partition, model } = request;
  const outcome = await traced('publish partition', { partition, model: model.version }, async () => {
    const ended = await publishPartition(request, request);
    annotate('outcome', ended.kind);
    return ended;
  });
  metrics.addMetric(outcome.kind, 'Count', 1);
  const published = publishedItem(outcome, partition);
  logger.info(`${partition}: ${outcome.kind}`, { ...published });
  return published;
}

/** Of the problems of a gate: a state's output has an end. */
const PROBLEMS_TOLD = 10;

function publishedItem(outcome: PublishOutcome, partition: string): PublishedItem {
  const { kind } = outcome;
  switch (kind) {
    case 'published':
    case 'unchanged':
      return { kind, generation: outcome.pointer.generation };
    case 'held':
    case 'superseded':
      return { kind, problem: `${partition}: ${outcome.reason}` };
    case 'incomplete': {
      const problem = `${outcome.missing.length} parts of ${partition} are missing: units have failed, or the input has changed`;
      return { kind, error: 'PartitionIncomplete', problem };
    }
    case 'refused': {
      const { problems } = outcome;
      const more = problems.length > PROBLEMS_TOLD ? ` and ${problems.length - PROBLEMS_TOLD} more` : '';
      const told = problems.slice(0, PROBLEMS_TOLD).join('; ');
      return {
        kind,
        error: 'PartitionRefused',
        problem: `${partition} is refused by a gate: ${told}${more}`,
      };
    }
  }
}
