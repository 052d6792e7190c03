import type { Context, SQSBatchResponse } from 'aws-lambda';
import { publishRequestSchema, type WorkUnit, workUnitSchema } from '../lib/publish/runPlan.ts';
import { type ScoredUnit, scoreUnit } from '../lib/publish/scoreUnit.ts';
import { isReplacedShard } from '../lib/scoring/scoreShard.ts';
import { handleEach, isSqsEvent, parseEvent } from './events.ts';
import { sendMessages } from './messageQueue.ts';
import { readSettings, type Settings } from './settings.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { traced } from './traced.ts';
import { warmModel } from './warmModel.ts';

type TimedInvocation = Invocation & Pick<Context, 'getRemainingTimeInMillis'>;

/** Kept for sending the rest and reporting; and what a unit needs to be begun at all. */
const RESERVE_MILLIS = 10_000;
const LEAST_MILLIS = 30_000;

/** Units from the queue, or one unit of the state machine's map. What can't be done in time goes to another call. */
export function handler(event: unknown, context: TimedInvocation): Promise<ScoredUnit | SQSBatchResponse> {
  return observed(context, async () => {
    if (!isSqsEvent(event)) return score(parseEvent(workUnitSchema, event), context);
    const settings = readSettings();
    return handleEach(event.Records, 'a unit failed', async (message) => {
      if (context.getRemainingTimeInMillis() < LEAST_MILLIS) throw new Error('no time left for this unit');
      await scoreAndSend(parseEvent(workUnitSchema, message), context, settings);
    });
  });
}

/** The rest goes back to the queue; a unit that is done asks for its partition to be published. */
async function scoreAndSend(
  unit: WorkUnit,
  context: TimedInvocation,
  { UNITS_QUEUE_URL, PUBLISH_QUEUE_URL }: Settings,
): Promise<void> {
  try {
    const { rest } = await score(unit, context);
    if (rest !== undefined) await sendMessages(UNITS_QUEUE_URL, [rest]);
    else await sendMessages(PUBLISH_QUEUE_URL, [publishRequestSchema.strip().parse(unit)]);
  } catch (error) {
    if (!isReplacedShard(error)) throw error;
    // The event of the newer shard plans what is now there, this unit's other spans among it.
    logger.warn('a shard was replaced after it was planned', { error: error as Error });
  }
}

function score(unit: WorkUnit, context: TimedInvocation): Promise<ScoredUnit> {
  const { partition, model } = unit;
  return traced('score unit', { partition, model: model.version }, async () => {
    const startMillis = performance.now();
    const { bundle, pool } = await warmModel(unit.modelUri, model);
    const scored = await scoreUnit(unit, bundle, pool, {
      remainingMillis: () => context.getRemainingTimeInMillis(),
      reserveMillis: RESERVE_MILLIS,
    });
    const { partsScored, partsDoneBefore, rowsScored } = scored;
    metrics.addMetric('rowsScored', 'Count', rowsScored);
    metrics.addMetric('unitMillis', 'Milliseconds', performance.now() - startMillis);
    const handedOn = scored.rest?.spans.length ?? 0;
    logger.info(`scored parts of ${partition}`, { partsScored, partsDoneBefore, rowsScored, handedOn });
    return scored;
  });
}
