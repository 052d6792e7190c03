import type { ScoreName } from '../base/tasks.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import type { ModelReference, ScoreReference } from '../profile/modelReference.ts';
import { SCORE_UNIT } from '../profile/partProfile.ts';
import { chanceStability, populationStability, totalOf } from '../profile/populationStability.ts';
import { lowestScoreOf, SCORE_BINS } from '../profile/scoreHistogram.ts';
import { chanceRatio, isByChance, type MeanOfRows } from './chance.ts';
import { type Candidate, type Earlier, VALIDATION } from './judged.ts';
import type { Measurement } from './verdict.ts';

/** pCTCVR is the product of both, so it says nothing of its own. */
const JUDGED_SCORES = ['pctr', 'pcvr'] as const satisfies readonly ScoreName[];

/** Fewer rows may all have the same score by accident. */
const LEAST_EQUAL_ROWS = 100;
/** Highest less lowest score, as a share of the mean, up to which a score is constant: noise, and nothing to rank by. */
const CONSTANT_RANGE = 0.01;

/**
 * A score that is the same everywhere, or nearly, can't rank anything. One that is constant is out of bounds whatever the model's
 * validation was like: a constant model has a constant reference.
 */
export function judgeConstantScores(
  { scores }: Candidate,
  reference: ModelReference | undefined,
  { share }: GateSettings['constantScores'],
): Measurement[] {
  return JUDGED_SCORES.map((subject) => {
    const { counts, min, max, mean } = scores[subject];
    const rows = totalOf(counts);
    const range = max! - min!;
    if (rows >= LEAST_EQUAL_ROWS && range <= CONSTANT_RANGE * mean!) {
      const reason =
        range === 0
          ? `all ${rows} rows have the same score`
          : `all ${rows} rows have about the same score, from ${min} to ${max}`;
      // Of all of them, though two neighbouring bins may share them.
      return { subject, found: 1, bound: share, isWithin: false, against: 'any night', reason };
    }
    const usual = reference?.scores[subject].counts;
    const usualShare = usual === undefined ? share : topShare(usual);
    // A model whose scores always lie that close together passes.
    const bound = usualShare <= share ? share : 1;
    const found = topShare(counts);
    const isWithin = found <= bound || isByChance(Math.max(...counts), rows, usualShare);
    const reason = isWithin
      ? 'the largest share of rows with about the same score'
      : 'nearly all rows have about the same score';
    return {
      subject,
      found,
      bound,
      isWithin,
      against: usual === undefined ? 'any night' : VALIDATION,
      reason,
    };
  });
}

interface ComparedScore {
  readonly subject: ScoreName;
  readonly against: string;
  readonly mean: number;
  readonly counts: readonly number[];
  /** How far apart days were in training. */
  readonly spread: ScoreReference | undefined;
}

/** What each score is compared with: earlier publications only where the same model made them. */
function comparisons(
  candidate: Candidate,
  { own, previous, weekday }: Earlier,
  reference: ModelReference | undefined,
): ComparedScore[] {
  return JUDGED_SCORES.flatMap((subject) => {
    const spread = reference?.scores[subject];
    const earlier = [own, previous, weekday].flatMap((other) => {
      const score = other?.model === candidate.model ? other.scores[subject] : undefined;
      if (other === undefined || score === undefined || score.mean === null) return [];
      return [{ subject, against: other.partition, mean: score.mean, counts: score.counts, spread }];
    });
    if (spread === undefined || totalOf(spread.counts) === 0) return earlier;
    return [{ subject, against: VALIDATION, mean: spread.mean, counts: spread.counts, spread }, ...earlier];
  });
}

/** Mean of each score over that of the other, or the reverse: at least 1. */
export function judgeScoreMeans(
  candidate: Candidate,
  earlier: Earlier,
  reference: ModelReference | undefined,
  { floor }: GateSettings['scoreMeans'],
): Measurement[] {
  return comparisons(candidate, earlier, reference).flatMap(({ subject, against, mean, counts, spread }) => {
    const score = candidate.scores[subject];
    if (score.mean === null) return [];
    const found = ratioOf(score.mean, mean);
    const variation = variationOf([counts, score.counts, ...(spread === undefined ? [] : [spread.counts])]);
    const here = { mean: score.mean, rows: totalOf(score.counts) };
    const bound = meanBound(floor, spread, variation, here, { mean, rows: totalOf(counts) });
    const reason = `the mean is ${meanText(score.mean)}, and ${meanText(mean)} there`;
    return [{ subject, found, bound, isWithin: found <= bound, against, reason }];
  });
}

/** Two days may be as far apart as both of them from the mean of all: the square of a day's ratio. */
function meanBound(
  floor: number,
  spread: ScoreReference | undefined,
  variation: number,
  here: MeanOfRows,
  there: MeanOfRows,
): number {
  const usual = Math.max(floor, (spread?.meanRatio ?? 1) ** 2);
  return usual * chanceRatio(variation, here, there);
}

export function judgeScoreDistributions(
  candidate: Candidate,
  earlier: Earlier,
  reference: ModelReference | undefined,
  { floor, factor }: GateSettings['scoreDistributions'],
): Measurement[] {
  return comparisons(candidate, earlier, reference).flatMap(({ subject, against, counts, spread }) => {
    const score = candidate.scores[subject];
    if (score.mean === null) return [];
    const found = populationStability(score.counts, counts);
    const chance = chanceStability(SCORE_BINS, totalOf(score.counts), totalOf(counts));
    const bound = Math.max(floor, factor * (spread?.psi ?? 0)) + chance;
    const reason = 'population stability index of the scores';
    return [{ subject, found, bound, isWithin: found <= bound, against, reason }];
  });
}

/** Rows below which a slice's mean says nothing. */
const LEAST_SLICE_ROWS = 30;

/** The means of every slice that the model declares, against validation: no other publication is by the same ids for certain. */
export function judgeSliceMeans(
  { profile, scores }: Candidate,
  reference: ModelReference | undefined,
  { floor }: GateSettings['sliceMeans'],
): Measurement[] {
  const found: Measurement[] = [];
  for (const { name, values, ids, slices } of reference?.slices ?? []) {
    const counted = profile.slices.find((each) => each.name === name)?.slices;
    if (counted?.length !== slices.length) continue;
    for (const [index, usual] of slices.entries()) {
      const slice = counted[index]!;
      if (slice.rows < LEAST_SLICE_ROWS || usual.rows < LEAST_SLICE_ROWS) continue;
      for (const score of JUDGED_SCORES) {
        const mean = usual[score];
        if (mean === null) continue;
        const spread = reference!.scores[score];
        const here = (slice[score] * SCORE_UNIT) / slice.rows;
        const ratio = ratioOf(here, mean);
        const variation = variationOf([scores[score].counts, spread.counts]);
        const bound = meanBound(
          floor,
          spread,
          variation,
          { mean: here, rows: slice.rows },
          { mean, rows: usual.rows },
        );
        const value = index < ids.length ? (values[index] ?? `id ${ids[index]}`) : 'any other';
        const subject = `${score} where ${name} is ${value}`;
        const reason = `the mean is ${meanText(here)} of ${slice.rows === 1 ? '1 row' : `${slice.rows} rows`}, and ${meanText(mean)} of ${usual.rows} there`;
        found.push({ subject, found: ratio, bound, isWithin: ratio <= bound, against: VALIDATION, reason });
      }
    }
  }
  return found;
}

/** Of at least 1; infinite when one of two different means is 0. */
function ratioOf(a: number, b: number): number {
  return a === b ? 1 : Math.max(a / b, b / a);
}

function topShare(counts: readonly number[]): number {
  const rows = totalOf(counts);
  return rows === 0 ? 0 : Math.max(...counts) / rows;
}

/**
 * Standard deviation over mean of one row's score, from the middle of each bin.
 * @param histograms of all rows that may tell: those of a small publication alone say that scores hardly vary
 */
function variationOf(histograms: readonly (readonly number[])[]): number {
  const rows = histograms.reduce((sum, counts) => sum + totalOf(counts), 0);
  let [total, squares] = [0, 0];
  for (const [bin] of histograms[0]!.entries()) {
    const count = histograms.reduce((sum, counts) => sum + counts[bin]!, 0);
    const end = bin + 1 < SCORE_BINS ? lowestScoreOf(bin + 1) : 1;
    const middle = (lowestScoreOf(bin) + end) / 2;
    total += count * middle;
    squares += count * middle * middle;
  }
  const mean = total / rows;
  return rows === 0 || mean === 0 ? 0 : Math.sqrt(Math.max(0, squares / rows - mean * mean)) / mean;
}

function meanText(score: number): string {
  return `${(100 * score).toPrecision(3)}%`;
}
