import { sumOf } from '../base/sumOf.ts';
import type { ScoreName } from '../base/tasks.ts';
import { MIN_DAY_ROWS } from './featureReferences.ts';
import type { ModelReference, ScoreReference } from './modelReference.ts';
import { SCORE_UNIT } from './partProfile.ts';
import { populationStability } from './populationStability.ts';
import { SCORE_BINS, scoreBinOf } from './scoreHistogram.ts';

/** The two scores of some rows, float32 [rows]; pCTCVR is their product. */
export interface TaskScores {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
}

/** Scores of some rows, as numbers that add up whatever the order of the rows. */
export interface CountedScores {
  readonly rows: number;
  /** In SCORE_UNITs. */
  readonly sums: Readonly<Record<ScoreName, number>>;
  /** By scoreBinOf. */
  readonly counts: Readonly<Record<ScoreName, readonly number[]>>;
}

export function countScores({ pctr, pcvr }: TaskScores): CountedScores {
  const pctcvr = pctr.map((p, row) => p * pcvr[row]!);
  const counted = { pctr: countScore(pctr), pcvr: countScore(pcvr), pctcvr: countScore(pctcvr) };
  const pick = <Key extends 'sum' | 'counts'>(key: Key) => ({
    pctr: counted.pctr[key],
    pcvr: counted.pcvr[key],
    pctcvr: counted.pctcvr[key],
  });
  return { rows: pctr.length, sums: pick('sum'), counts: pick('counts') };
}

function countScore(scores: Float32Array): { readonly sum: number; readonly counts: readonly number[] } {
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  const counts = new Array<number>(SCORE_BINS).fill(0);
  let sum = 0;
  for (const [row, score] of scores.entries()) {
    counts[scoreBinOf(bits[row]!)]!++;
    sum += Math.round(score / SCORE_UNIT);
  }
  return { sum, counts };
}

/**
 * What the gates compare a night's scores with.
 * @param days scores of rows of each day of training and validation; empty where rows aren't split by date. All days are
 *   these together, and one with fewer than MIN_DAY_ROWS rows isn't compared with them
 */
export function scoreReferences(
  validation: CountedScores,
  days: readonly CountedScores[],
): ModelReference['scores'] {
  const of = (name: ScoreName): ScoreReference => {
    const compared = days.filter(({ rows }) => rows >= MIN_DAY_ROWS);
    const all = Array.from({ length: SCORE_BINS }, (_, bin) => sumOf(days, (day) => day.counts[name][bin]!));
    const mean = sumOf(days, (day) => day.sums[name]) / sumOf(days, ({ rows }) => rows);
    return {
      mean: meanOverRows(validation.sums[name], validation.rows) ?? 0,
      counts: validation.counts[name],
      meanRatio: Math.max(1, ...compared.map(({ rows, sums }) => ratio(sums[name] / rows, mean))),
      psi: Math.max(0, ...compared.map(({ counts }) => populationStability(counts[name], all))),
    };
  };
  return { pctr: of('pctr'), pcvr: of('pcvr'), pctcvr: of('pctcvr') };
}

/** A mean score in [0, 1]; null without rows. @param sum in SCORE_UNITs */
export function meanOverRows(sum: number, rows: number): number | null {
  return rows === 0 ? null : (sum * SCORE_UNIT) / rows;
}

/** The larger of two mean scores, in SCORE_UNITs, as a multiple of the smaller; less than one unit counts as one. */
function ratio(a: number, b: number): number {
  const [smaller, larger] = [Math.min(a, b), Math.max(a, b)].map((mean) => Math.max(1, mean)) as [
    number,
    number,
  ];
  return larger / smaller;
}
