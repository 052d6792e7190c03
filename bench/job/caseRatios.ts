import { BARE, BARE_INT8, OURS, OURS_INT8, type Round } from './benchArms.ts';
import type { ArmResult, CaseResult } from './benchCase.ts';

/** Our command beside the bare sessions of its own model, by threads. */
export interface SessionRatios {
  readonly model: 'float32' | 'int8';
  readonly threads: number;
  /** CPU time of the bare sessions over that of our command: 1 if nothing but the sessions took any. */
  readonly efficiency: number;
  /** Absent for one thread, and where one thread wasn't measured. */
  readonly gain?: {
    /** Rows per second over those of one worker, and of one bare session. */
    readonly ours: number;
    readonly bare: number;
    /** Ours over theirs. */
    readonly ratio: number;
  };
}

export type CaseRatios = readonly SessionRatios[];

const PAIRS = [
  ['float32', OURS, BARE],
  ['int8', OURS_INT8, BARE_INT8],
] as const;

/** Ratios are taken within each round, and are the median of those. @param arms of one case */
export function caseRatios(arms: readonly ArmResult[]): CaseRatios {
  const find = (name: string, threads: number) =>
    arms.find((arm) => arm.name === name && arm.threads === threads);
  return PAIRS.flatMap(([model, ours, bare]) =>
    arms
      .filter(({ name }) => name === ours)
      .flatMap((mine): SessionRatios[] => {
        const { threads } = mine;
        const sessions = find(bare, threads);
        if (sessions === undefined) return [];
        const efficiency = medianOf(byRound(sessions, mine, cpuSecondsOf));
        const [alone, oneSession] = [find(ours, 1), find(bare, 1)];
        if (threads === 1 || alone === undefined || oneSession === undefined)
          return [{ model, threads, efficiency }];
        const oursByRound = byRound(alone, mine, wallSecondsOf);
        const bareByRound = byRound(oneSession, sessions, wallSecondsOf);
        const gain = {
          ours: medianOf(oursByRound),
          bare: medianOf(bareByRound),
          ratio: medianOf(oursByRound.map((each, round) => each / bareByRound[round]!)),
        };
        return [{ model, threads, efficiency, gain }];
      }),
  );
}

/** An arm's case with one number of rows beside the one with the fewest. */
export interface FlatnessRow {
  readonly arm: string;
  readonly threads: number;
  readonly rows: number;
  readonly cpuSecondsPerMillion: number;
  /** CPU time per row over that of the fewest rows; 1 for these. */
  readonly cpuRatio: number;
  readonly peakBytes: number;
  readonly peakRatio: number;
  /** Rows beyond the fewest per second beyond theirs: without the start. Absent for the fewest. */
  readonly furtherRowsPerSecond?: number;
}

/** @param cases of one contract and one size of row groups, from the fewest rows on; arms without memory are left out */
export function flatnessOf(cases: readonly CaseResult[]): FlatnessRow[] {
  const [fewest] = cases;
  if (fewest === undefined || cases.length < 2) return [];
  return fewest.arms.flatMap((first, index) =>
    first.rounds[0]!.peakBytes === undefined
      ? []
      : cases.map(({ rows, arms }): FlatnessRow => {
          const arm = arms[index]!;
          const common = {
            arm: arm.name,
            threads: arm.threads,
            rows,
            cpuSecondsPerMillion: (medianOf(arm.rounds.map(cpuSecondsOf)) * 1e6) / rows,
            cpuRatio: (medianOf(byRound(arm, first, cpuSecondsOf)) * fewest.rows) / rows,
            peakBytes: medianOf(arm.rounds.map(peakBytesOf)),
            peakRatio: medianOf(byRound(arm, first, peakBytesOf)),
          };
          if (rows === fewest.rows) return common;
          const seconds = arm.rounds.map(
            ({ wallSeconds }, round) => wallSeconds - first.rounds[round]!.wallSeconds,
          );
          return { ...common, furtherRowsPerSecond: (rows - fewest.rows) / medianOf(seconds) };
        }),
  );
}

export const cpuSecondsOf = ({ cpuSeconds }: Round): number => cpuSeconds;
export const wallSecondsOf = ({ wallSeconds }: Round): number => wallSeconds;
export const peakBytesOf = ({ peakBytes }: Round): number => peakBytes!;

/** One amount over another, in each round. */
export function byRound(
  { rounds }: ArmResult,
  other: ArmResult,
  amountOf: (round: Round) => number,
): number[] {
  return rounds.map((each, round) => amountOf(each) / amountOf(other.rounds[round]!));
}

export function medianOf(amounts: readonly number[]): number {
  const sorted = [...amounts].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
