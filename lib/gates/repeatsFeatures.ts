import { isDeepStrictEqual } from 'node:util';
import { SCORE_NAMES } from '../base/tasks.ts';
import { chanceOfEqualCounts } from './chance.ts';
import type { Candidate } from './judged.ts';

/** Of two days of one distribution with the same counts: so unlikely that it isn't believed. */
const HIGHEST_CHANCE = 1e-9;

/**
 * Are the candidate's rows those of another publication of the same model under other keys? They are where every feature, every
 * slice and every score were counted alike, unless so little was counted that other rows could have given the same.
 */
export function repeatsFeatures(candidate: Candidate, other: Candidate): boolean {
  if (candidate.model !== other.model || candidate.rows !== other.rows) return false;
  if (!isDeepStrictEqual(countsOf(candidate), countsOf(other))) return false;
  const { scores, profile } = candidate;
  const histograms = [
    ...SCORE_NAMES.map((name) => scores[name].counts),
    ...profile.features.map(({ bins }) => bins),
  ];
  return histograms.some((counts) => chanceOfEqualCounts(counts) <= HIGHEST_CHANCE);
}

/** Labels may have come since: they say nothing of the rows. */
function countsOf({ scores, profile: { labels: _, ...profile } }: Candidate) {
  return { profile, scores: SCORE_NAMES.map((name) => scores[name].counts) };
}
