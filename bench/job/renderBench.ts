import { formatTable } from '../../lib/base/textTable.ts';
import type { Prices } from '../../lib/estimate/readPrices.ts';
import type { Round } from './benchArms.ts';
import type { ArmResult, CaseResult } from './benchCase.ts';
import { STAGES } from './stageShares.ts';

/** Lambda's: a vCPU for every 1,769 MB. */
const GIGABYTES_PER_VCPU = 1769 / 1024;
const MILLION = 1e6;

/** A case's medians, as a table; ratios are to our command with as many threads. */
export function renderCase(result: CaseResult, prices: readonly Prices[]): string {
  const { contract, source, rows, rowGroupRows, arms, stages } = result;
  const perMillion = (seconds: number) => (seconds * MILLION) / rows;
  const ours = (threads: number) => arms.find((arm) => arm.name === 'ncs4cvr' && arm.threads === threads)!;
  const lines = arms.map((arm) => {
    const cpu = median(arm, ({ cpuSeconds }) => cpuSeconds);
    const wall = median(arm, ({ wallSeconds }) => wallSeconds);
    const peak =
      arm.rounds[0]!.peakBytes === undefined ? undefined : median(arm, ({ peakBytes }) => peakBytes!);
    const all = arm.rounds.map(({ cpuSeconds }) => perMillion(cpuSeconds));
    return [
      arm.name,
      String(arm.threads),
      perMillion(cpu).toFixed(2),
      `${Math.min(...all).toFixed(2)}-${Math.max(...all).toFixed(2)}`,
      (cpu / median(ours(arm.threads), ({ cpuSeconds }) => cpuSeconds)).toFixed(2),
      ...prices.map((price) => (perMillion(cpu) * dollarsPerCpuSecond(price) * 1000).toFixed(4)),
      Math.round(rows / wall).toLocaleString('en'),
      peak === undefined ? '' : Math.round(peak / 2 ** 20).toLocaleString('en'),
      arm.largestDifference === undefined ? '' : arm.largestDifference.toExponential(1),
    ];
  });
  const ourCpu = perMillion(median(ours(arms[0]!.threads), ({ cpuSeconds }) => cpuSeconds));
  const shares = STAGES.filter((stage) => stages[stage] >= 0.005).map(
    (stage) => `${stage} ${(stages[stage] * ourCpu).toFixed(2)}`,
  );
  return [
    `${contract} (${source} rows): ${rows.toLocaleString('en')} rows, row groups of ${rowGroupRows.toLocaleString('en')}`,
    formatTable(
      [
        [
          'arm',
          'threads',
          'CPU-s/M rows',
          'fewest-most',
          'of ours',
          ...prices.map(({ architecture }) => `$/1000 M ${architecture}`),
          'rows/s',
          'peak MB',
          'score difference',
        ],
        ...lines,
      ],
      { leftColumns: 1 },
    ),
    `CPU-s per million rows by stage, one worker: ${shares.join(', ')}`,
  ].join('\n');
}

/** Of one vCPU that is busy. What a run pays besides is in `plan`'s estimate. */
function dollarsPerCpuSecond({ dollarsPerGigabyteSecond }: Prices): number {
  return GIGABYTES_PER_VCPU * dollarsPerGigabyteSecond;
}

function median({ rounds }: ArmResult, amountOf: (round: Round) => number): number {
  const sorted = rounds.map(amountOf).sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
