// First: what it starts goes on while the rest is loaded.
import './startEarly.ts';
import type { Context } from 'aws-lambda';
import { refuseOtherVersion } from '../lib/publish/partitionRun.ts';
import { type ScoredUnit, scoreUnit } from '../lib/publish/scoreUnit.ts';
import { type UnitUsage, type WorkUnit, workUnitSchema } from '../lib/publish/workUnit.ts';
import { type CallClock, startCallClock, usageWith } from './callUsage.ts';
import { inTime } from './inTime.ts';
import { parseEvent } from './parseEvent.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { traced } from './traced.ts';
import { warmModel } from './warmModel.ts';

// Called by the package's entry, which starts a thread before it loads this.
export { keepSpareThread } from '../lib/scoring/spareThread.ts';

type TimedInvocation = Invocation & Pick<Context, 'getRemainingTimeInMillis'>;

/** Kept for reporting. */
const RESERVE_MILLIS = 10_000;
/** Kept for saying that something never answers. */
const REPORT_MILLIS = 2_000;

/** A unit that was scored, or as much of it as there was time for. */
type MeasuredUnit = ScoredUnit & {
  /** Of all calls until now; the rest hands it on. */
  readonly usage?: UnitUsage;
};

/** One unit of the state machine's map. What can't be done in time comes back as the rest, for another call. */
export function handler(event: unknown, context: TimedInvocation): Promise<MeasuredUnit> {
  const clock = startCallClock();
  return observed(context, () => {
    refuseOtherVersion(event);
    const scoring = score(parseEvent(workUnitSchema, event), context, clock);
    return inTime('the call', scoring, context.getRemainingTimeInMillis() - REPORT_MILLIS);
  });
}

function score(unit: WorkUnit, context: TimedInvocation, clock: CallClock): Promise<MeasuredUnit> {
  const { partition, model } = unit;
  return traced('score unit', { partition, model: model.version }, async () => {
    const startMillis = performance.now();
    const { bundle, pool } = await warmModel(unit.modelUri, model);
    const scored = await scoreUnit(unit, bundle, pool, {
      remainingMillis: () => context.getRemainingTimeInMillis(),
      reserveMillis: RESERVE_MILLIS,
    });
    const { rest, ...counts } = scored;
    metrics.addMetric('rowsScored', 'Count', counts.rowsScored);
    metrics.addMetric('unitMillis', 'Milliseconds', performance.now() - startMillis);
    const usage = usageWith(unit.usage, clock.billedMillis());
    if (usage !== undefined) {
      metrics.addMetric(
        'gigabyteSeconds',
        'Count',
        usage.gigabyteSeconds - (unit.usage?.gigabyteSeconds ?? 0),
      );
    }
    logger.info(`scored parts of ${partition}`, { ...counts, handedOn: rest?.parts.length ?? 0 });
    if (usage === undefined) return scored;
    return { ...counts, rest: rest === undefined ? undefined : { ...rest, usage }, usage };
  });
}
