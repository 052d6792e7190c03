import { formatTable } from '../../lib/base/textTable.ts';
import type { Prices } from '../../lib/estimate/readPrices.ts';
import { medianOf } from '../medianOf.ts';
import { OURS } from './benchArms.ts';
import type { ArmResult, CaseResult } from './benchCase.ts';
import {
  byRound,
  type CaseRatios,
  cpuSecondsOf,
  type Flatness,
  peakBytesOf,
  wallSecondsOf,
} from './caseRatios.ts';
import { STAGES } from './stageShares.ts';

/** Lambda's: a vCPU for every 1,769 MB. */
const GIGABYTES_PER_VCPU = 1769 / 1024;
const MILLION = 1e6;
const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** A case's medians, as tables; ratios are to our command with as many threads. */
export function renderCase(result: CaseResult, prices: readonly Prices[]): string {
  const { contract, source, rows, rowGroupRows, arms, stages, ratios } = result;
  const perMillion = (seconds: number) => (seconds * MILLION) / rows;
  const ours = (threads: number) => arms.find((arm) => arm.name === OURS && arm.threads === threads)!;
  const lines = arms.map((arm) => {
    const all = arm.rounds.map((round) => perMillion(cpuSecondsOf(round)));
    const cpu = medianOf(all);
    const wall = medianOf(arm.rounds.map(wallSecondsOf));
    return [
      arm.name,
      String(arm.threads),
      cpu.toFixed(2),
      `${Math.min(...all).toFixed(2)}-${Math.max(...all).toFixed(2)}`,
      medianOf(byRound(arm, ours(arm.threads), cpuSecondsOf)).toFixed(2),
      ...prices.map((price) => (cpu * dollarsPerCpuSecond(price) * 1000).toFixed(4)),
      NUMBER.format(rows / wall),
      peakMegabytes(arm),
      arm.largestDifference === undefined ? '' : arm.largestDifference.toExponential(1),
    ];
  });
  const ourCpu = perMillion(medianOf(ours(arms[0]!.threads).rounds.map(cpuSecondsOf)));
  const shares = STAGES.filter((stage) => stages[stage] >= 0.005).map(
    (stage) => `${stage} ${(stages[stage] * ourCpu).toFixed(2)}`,
  );
  return [
    `${contract} (${source} rows): ${NUMBER.format(rows)} rows, row groups of ${NUMBER.format(rowGroupRows)}`,
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
    '',
    renderRatios(ratios),
  ].join('\n');
}

function renderRatios(ratios: CaseRatios): string {
  const lines = ratios.map(({ model, threads, efficiency, wholeEfficiency, gain }) => [
    model,
    String(threads),
    efficiency.toFixed(3),
    ...[wholeEfficiency, gain?.ours, gain?.bare, gain?.ratio].map((each) => each?.toFixed(3) ?? ''),
  ]);
  const head = [
    'model',
    'threads',
    'efficiency',
    'of the whole graph',
    'gain of ours',
    'of bare sessions',
    'ratio',
  ];
  return formatTable([head, ...lines], { leftColumns: 1 });
}

/** How CPU time and memory grow with rows, and the ratios without the start. */
export function renderFlatness({ rows, further }: Flatness): string {
  const lines = rows.map((row) => [
    row.arm,
    String(row.threads),
    NUMBER.format(row.rows),
    row.cpuSecondsPerMillion.toFixed(2),
    row.cpuRatio.toFixed(3),
    NUMBER.format(row.peakBytes / 2 ** 20),
    row.peakRatio.toFixed(3),
  ]);
  const head = ['arm', 'threads', 'rows', 'CPU-s/M rows', 'of fewest', 'peak MB', 'of fewest'];
  return [
    formatTable([head, ...lines], { leftColumns: 1 }),
    ...further.map(
      ({ rows: all, ratios }) =>
        `${NUMBER.format(all)} rows, beyond the first ${NUMBER.format(rows[0]!.rows)}\n${renderRatios(ratios)}`,
    ),
  ].join('\n\n');
}

/** Of one vCPU that is busy. What a run pays besides is in `plan`'s estimate. */
function dollarsPerCpuSecond({ dollarsPerGigabyteSecond }: Prices): number {
  return GIGABYTES_PER_VCPU * dollarsPerGigabyteSecond;
}

const peakMegabytes = ({ rounds }: ArmResult): string =>
  rounds[0]!.peakBytes === undefined ? '' : NUMBER.format(medianOf(rounds.map(peakBytesOf)) / 2 ** 20);
