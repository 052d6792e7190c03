import { medianOf } from '../medianOf.ts';
import { BARE, BARE_INT8, BARE_WHOLE, BARE_WHOLE_INT8, OURS, OURS_INT8, type Round } from './benchArms.ts';
import type { ArmResult, CaseResult } from './benchCase.ts';

/** Our command beside the bare sessions of its own model, by threads. */
interface SessionRatios {
  readonly model: 'float32' | 'int8';
  readonly threads: number;
  /** CPU time of the bare sessions over that of our command: 1 if nothing but the sessions took any. */
  readonly efficiency: number;
  /**
   * The same of sessions of the whole network, embeddings and all, as one graph, where they were measured: above 1 if
   * our command takes less.
   */
  readonly wholeEfficiency?: number;
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
  ['float32', OURS, BARE, BARE_WHOLE],
  ['int8', OURS_INT8, BARE_INT8, BARE_WHOLE_INT8],
] as const;

/** Ratios are taken within each round, and are the median of those. @param arms of one case */
export function caseRatios(arms: readonly ArmResult[]): CaseRatios {
  const find = (name: string, threads: number) =>
    arms.find((arm) => arm.name === name && arm.threads === threads);
  return PAIRS.flatMap(([model, ours, bare, whole]) =>
    arms
      .filter(({ name }) => name === ours)
      .flatMap((mine): SessionRatios[] => {
        const { threads } = mine;
        const [sessions, wholeSessions] = [find(bare, threads), find(whole, threads)];
        if (sessions === undefined) return [];
        const efficiency = medianOf(byRound(sessions, mine, cpuSecondsOf));
        const ofWhole = wholeSessions && {
          wholeEfficiency: medianOf(byRound(wholeSessions, mine, cpuSecondsOf)),
        };
        const [alone, oneSession] = [find(ours, 1), find(bare, 1)];
        if (threads === 1 || alone === undefined || oneSession === undefined)
          return [{ model, threads, efficiency, ...ofWhole }];
        const oursByRound = byRound(alone, mine, wallSecondsOf);
        const bareByRound = byRound(oneSession, sessions, wallSecondsOf);
        const gain = {
          ours: medianOf(oursByRound),
          bare: medianOf(bareByRound),
          ratio: medianOf(oursByRound.map((each, round) => each / bareByRound[round]!)),
        };
        return [{ model, threads, efficiency, ...ofWhole, gain }];
      }),
  );
}

/** An arm with one number of rows beside the same arm with the fewest. */
interface FlatnessRow {
  readonly arm: string;
  readonly threads: number;
  readonly rows: number;
  readonly cpuSecondsPerMillion: number;
  /** CPU time per row over that of the fewest rows; 1 for these. */
  readonly cpuRatio: number;
  readonly peakBytes: number;
  readonly peakRatio: number;
}

/** Cases that differ in their number of rows alone. */
export interface Flatness {
  /** Of the arms whose memory is measured. */
  readonly rows: readonly FlatnessRow[];
  /** Of the rows beyond the fewest alone, so that no start is in them, for each other number of rows. */
  readonly further: readonly { readonly rows: number; readonly ratios: CaseRatios }[];
}

/** @param cases from the fewest rows on, with the same arms */
export function flatnessOf(cases: readonly Pick<CaseResult, 'rows' | 'arms'>[]): Flatness {
  const [fewest, ...others] = cases;
  const rows = fewest!.arms.flatMap((first, index) =>
    first.rounds[0]!.peakBytes === undefined
      ? []
      : cases.map(({ rows, arms }): FlatnessRow => {
          const arm = arms[index]!;
          return {
            arm: arm.name,
            threads: arm.threads,
            rows,
            cpuSecondsPerMillion: (medianOf(arm.rounds.map(cpuSecondsOf)) * 1e6) / rows,
            cpuRatio: (medianOf(byRound(arm, first, cpuSecondsOf)) * fewest!.rows) / rows,
            peakBytes: medianOf(arm.rounds.map(peakBytesOf)),
            peakRatio: medianOf(byRound(arm, first, peakBytesOf)),
          };
        }),
  );
  const further = others.map(({ rows, arms }) => ({
    rows,
    ratios: caseRatios(arms.map((arm, index) => beyond(fewest!.arms[index]!, arm))),
  }));
  return { rows, further };
}

/** What an arm took more than with fewer rows, in each round. */
function beyond({ rounds }: ArmResult, more: ArmResult): ArmResult {
  return {
    ...more,
    rounds: more.rounds.map(({ cpuSeconds, wallSeconds }, round) => ({
      cpuSeconds: cpuSeconds - rounds[round]!.cpuSeconds,
      wallSeconds: wallSeconds - rounds[round]!.wallSeconds,
    })),
  };
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
