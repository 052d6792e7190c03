import type { UnitUsage } from '../publish/workUnit.ts';
import { TRANSITIONS_PER_FURTHER_CALL, TRANSITIONS_PER_UNIT } from './countRun.ts';
import type { Prices } from './readPrices.ts';

/** What units of the state machine have cost. */
export interface UnitCost {
  readonly units: number;
  /** Units that say what they have taken: failed ones don't. The others are not in the cost. */
  readonly counted: number;
  readonly calls: number;
  readonly gigabyteSeconds: number;
  readonly dollars: number;
}

/** What `UnitCost` leaves out, for whoever is shown one. */
export const NOT_COUNTED =
  'failed calls, S3 requests, planner and publisher, logs, storage and the free tier are not in it';

/** Score functions by memory and time, their calls, and the state transitions of the units. @param usages one for each unit */
export function unitCost(usages: readonly (UnitUsage | null)[], prices: Prices): UnitCost {
  const counted = usages.filter((usage) => usage !== null);
  const calls = counted.reduce((sum, usage) => sum + usage.calls, 0);
  const gigabyteSeconds = counted.reduce((sum, usage) => sum + usage.gigabyteSeconds, 0);
  const transitions =
    counted.length * TRANSITIONS_PER_UNIT + (calls - counted.length) * TRANSITIONS_PER_FURTHER_CALL;
  return {
    units: usages.length,
    counted: counted.length,
    calls,
    gigabyteSeconds,
    dollars:
      gigabyteSeconds * prices.dollarsPerGigabyteSecond +
      (calls / 1e6) * prices.dollarsPerMillionInvocations +
      (transitions / 1000) * prices.dollarsPerThousandStateTransitions,
  };
}
