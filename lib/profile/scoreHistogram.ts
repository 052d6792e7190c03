import { z } from 'zod';

/** Bins of a score: quarters of an octave from 2^-16 to 1. Bin 0 also holds everything below, the last one 1 alone. */
export const SCORE_BINS = 65;

/** Of the float32 just below the first bin's upper end, in quarters of an octave. */
const FIRST_QUARTER = 444;

export const scoreCountsSchema = z.array(z.int().min(0)).length(SCORE_BINS).readonly();

/**
 * The bin of a score in [0, 1], from the bits of its float32: its exponent, and the first two digits after the point. That of -0,
 * which an own model may give, is 0's; other negative numbers, those above 1 and NaN have bins of SCORE_BINS or more.
 */
export function scoreBinOf(bits: number): number {
  if (bits << 1 === 0) return 0;
  const quarter = (bits >>> 21) - FIRST_QUARTER;
  return quarter < 0 ? 0 : quarter;
}

/** The lowest score of a bin, but for bin 0, which begins at 0. */
export function lowestScoreOf(bin: number): number {
  if (bin === 0) return 0;
  const quarter = bin + FIRST_QUARTER;
  return 2 ** ((quarter >>> 2) - 127) * (1 + (quarter & 3) / 4);
}
