import { sumOf } from '../base/sumOf.ts';
import type { Part } from '../publish/part.ts';
import { openParts, type RunPlan } from '../publish/runPlan.ts';
import { batchParts } from '../publish/workUnit.ts';
import { countRun } from './countRun.ts';
import { LAMBDA_MEGABYTES_PER_VCPU } from './modelMemory.ts';
import type { Prices } from './readPrices.ts';

export interface RunEstimate {
  readonly rows: number;
  readonly rowsDone: number;
  readonly parts: number;
  readonly partsDone: number;
  readonly minutes: number;
  readonly dollars: number;
}

/**
 * What is left of a plan, in time and money, when the state machine does it. Retries, logs, storage, transfer between
 * regions and the free tier are not in it.
 * @param bundleGets requests with which each function that starts loads the model's bundle
 */
export function estimateRun(plan: RunPlan, bundleGets: number, prices: Prices): RunEstimate {
  const { partitions } = plan;
  const all = partitions.flatMap(({ parts }) => parts);
  const open = partitions.flatMap(openParts);
  const rows = sumOf(all, (part) => part.rows);
  const units = partitions.flatMap((each) => batchParts(openParts(each), plan.targetRows));
  const workers = workerSeconds(
    units.map((parts) => sumOf(parts, (part) => partSeconds(part, prices))),
    prices,
  );
  const gigabyteSeconds = sumOf(workers, (seconds) => seconds) * (prices.memoryMegabytes / 1024);
  const { gets, puts, invocations, transitions } = countRun(plan, bundleGets, workers.length);
  return {
    rows,
    rowsDone: rows - sumOf(open, (part) => part.rows),
    parts: all.length,
    partsDone: all.length - open.length,
    minutes: (prices.secondsPerRun + Math.max(0, ...workers)) / 60,
    dollars:
      gigabyteSeconds * prices.dollarsPerGigabyteSecond +
      (invocations / 1e6) * prices.dollarsPerMillionInvocations +
      (puts / 1000) * prices.dollarsPerThousandPuts +
      (gets / 1000) * prices.dollarsPerThousandGets +
      (transitions / 1000) * prices.dollarsPerThousandStateTransitions,
  };
}

/** Row groups are scored side by side, on a vCPU each. */
function partSeconds(part: Part, prices: Prices): number {
  const vcpus = Math.min(prices.memoryMegabytes / LAMBDA_MEGABYTES_PER_VCPU, Math.max(1, rowGroupsOf(part)));
  return prices.secondsPerPart + part.rows / (prices.rowsPerSecondPerVcpu * vcpus);
}

/** How long each worker is busy when the next unit always goes to the one that is free first, as in a map. */
function workerSeconds(unitSeconds: readonly number[], prices: Prices): number[] {
  const count = Math.min(prices.concurrency, unitSeconds.length);
  const busy = Array.from({ length: count }, () => prices.secondsPerColdStart);
  for (const seconds of unitSeconds) {
    let first = 0;
    for (let i = 1; i < count; i++) if (busy[i]! < busy[first]!) first = i;
    busy[first]! += seconds;
  }
  return busy;
}

function rowGroupsOf({ spans }: Part): number {
  return sumOf(spans, ({ firstRowGroup, endRowGroup }) => endRowGroup - firstRowGroup);
}
