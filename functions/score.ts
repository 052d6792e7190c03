import type { Context } from 'aws-lambda';
import { type WorkUnit, workUnitSchema } from '../lib/publish/runPlan.ts';
import { type ScoredUnit, scoreUnit } from '../lib/publish/scoreUnit.ts';
import { isReplacedShard } from '../lib/scoring/scoreShard.ts';
import { parseEvent } from './events.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { traced } from './traced.ts';
import { warmModel } from './warmModel.ts';

type TimedInvocation = Invocation & Pick<Context, 'getRemainingTimeInMillis'>;

/** Kept for reporting. */
const RESERVE_MILLIS = 10_000;

/** One unit of the state machine's map. What can't be done in time is answered as `rest`, for another call. */
export function handler(event: unknown, context: TimedInvocation): Promise<ScoredUnit> {
  return observed(context, async () => score(parseEvent(workUnitSchema, event), context));
}

function score(unit: WorkUnit, context: TimedInvocation): Promise<ScoredUnit> {
  const { partition, model } = unit;
  return traced('score unit', { partition, model: model.version }, async () => {
    const startMillis = performance.now();
    const { bundle, pool } = await warmModel(unit.modelUri, model);
    const deadline = {
      remainingMillis: () => context.getRemainingTimeInMillis(),
      reserveMillis: RESERVE_MILLIS,
    };
    const scored = await scoreUnit(unit, bundle, pool, deadline).catch((error: unknown) => {
      if (!isReplacedShard(error)) throw error;
      // Another try can't help: the partition is incomplete, and is planned anew.
      logger.warn('a shard was replaced after it was planned', { error: error as Error });
      return { partsScored: 0, partsDoneBefore: 0, rowsScored: 0, rest: undefined };
    });
    const { partsScored, partsDoneBefore, rowsScored } = scored;
    metrics.addMetric('rowsScored', 'Count', rowsScored);
    metrics.addMetric('unitMillis', 'Milliseconds', performance.now() - startMillis);
    const handedOn = scored.rest?.spans.length ?? 0;
    logger.info(`scored parts of ${partition}`, { partsScored, partsDoneBefore, rowsScored, handedOn });
    return scored;
  });
}
