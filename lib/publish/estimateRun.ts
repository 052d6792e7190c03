import type { PartSpec } from './partSpec.ts';
import { openSpecs, type RunPlan } from './runPlan.ts';

/** What a run costs and how fast it goes. */
export interface Rates {
  /** Rows a second of one vCPU, reading and writing included. */
  readonly rowsPerSecondPerVcpu: number;
  /** Of one function instance; Lambda gives a vCPU for every 1,769 MB. */
  readonly memoryMegabytes: number;
  /** Instances at a time. */
  readonly concurrency: number;
  readonly dollarsPerGigabyteSecond: number;
  readonly dollarsPerMillionInvocations: number;
  readonly dollarsPerThousandPuts: number;
  readonly dollarsPerThousandGets: number;
}

/** arm64 in us-east-1, list prices of November 2026; rows a second from `score` on one core of a small cloud machine. */
export const DEFAULT_RATES: Rates = {
  rowsPerSecondPerVcpu: 88_000,
  memoryMegabytes: 1769,
  concurrency: 50,
  dollarsPerGigabyteSecond: 0.0000133334,
  dollarsPerMillionInvocations: 0.2,
  dollarsPerThousandPuts: 0.005,
  dollarsPerThousandGets: 0.0004,
};

export interface RunEstimate {
  readonly rows: number;
  readonly rowsDone: number;
  readonly parts: number;
  readonly partsDone: number;
  readonly minutes: number;
  readonly dollars: number;
}

const LAMBDA_MEGABYTES_PER_VCPU = 1769;
/** Footers, row groups, the part that is read back; the part, its receipt. */
const GETS_PER_PART = 8;
const PUTS_PER_PART = 3;

/** What is left of a plan, in time and money. Logs, transfer between regions and the free tier are not in it. */
export function estimateRun({ partitions }: RunPlan, rates: Rates = DEFAULT_RATES): RunEstimate {
  const all = partitions.flatMap(({ specs }) => specs);
  const left = partitions.flatMap(openSpecs);
  const rowsOf = (specs: readonly PartSpec[]) => specs.reduce((sum, spec) => sum + spec.rows, 0);
  const [rows, rowsLeft] = [rowsOf(all), rowsOf(left)];
  const open = left.length;
  const vcpus = Math.max(1, rates.memoryMegabytes / LAMBDA_MEGABYTES_PER_VCPU);
  const functionSeconds = rowsLeft / (rates.rowsPerSecondPerVcpu * vcpus);
  const gigabyteSeconds = functionSeconds * (rates.memoryMegabytes / 1024);
  return {
    rows,
    rowsDone: rows - rowsLeft,
    parts: all.length,
    partsDone: all.length - open,
    minutes: open === 0 ? 0 : functionSeconds / Math.min(rates.concurrency, open) / 60,
    dollars:
      gigabyteSeconds * rates.dollarsPerGigabyteSecond +
      (open / 1e6) * rates.dollarsPerMillionInvocations +
      ((open * PUTS_PER_PART) / 1000) * rates.dollarsPerThousandPuts +
      ((open * GETS_PER_PART) / 1000) * rates.dollarsPerThousandGets,
  };
}
