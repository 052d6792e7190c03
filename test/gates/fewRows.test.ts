import { expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { Candidate } from '../../lib/gates/judged.ts';
import { blockingVerdicts, judgePublication } from '../../lib/gates/judgePublication.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { SCORE_BINS, scoreBinOf } from '../../lib/profile/scoreHistogram.ts';
import { judged, NO_EARLIER, reference } from './judgedNights.ts';

// Features by the shares of rows that have no value, and of values that are new.
const FEATURES = [
  { name: 'full', missing: 0.02, unseen: 0 },
  { name: 'some', missing: 0.3, unseen: 0.1 },
  { name: 'mostly none', missing: 0.8, unseen: 0.05 },
];
const FEATURE_BINS = 12;
const VALIDATION_ROWS = 20_000;
/** Drawn for each size; what is drawn follows from the seed. */
const NIGHTS = 200;

/** Rows that differ by chance alone: scores of e^-3 on average, mostly within a factor of 2.5. */
class Nights {
  readonly #random = new RandomStream(7);

  draw(partition: string, rows: number, factor = 1): Candidate {
    const scores = {
      pctr: this.#scores(rows, factor),
      pcvr: this.#scores(rows, factor),
      pctcvr: this.#scores(rows, factor),
    };
    const features = FEATURES.map(({ name, missing, unseen }) => this.#feature(name, rows, missing, unseen));
    return { ...judged(partition, { rows, scores }), profile: { rows, features, slices: [] } };
  }

  #scores(rows: number, factor: number) {
    const counts = new Array<number>(SCORE_BINS).fill(0);
    const scores = Float32Array.from({ length: rows }, () =>
      Math.min(1, factor * Math.exp(0.9 * this.#random.nextNormal() - 3)),
    );
    for (const bits of new Uint32Array(scores.buffer)) counts[scoreBinOf(bits)]!++;
    const mean = scores.reduce((sum, each) => sum + each, 0) / rows;
    return { mean, min: Math.min(...scores), max: Math.max(...scores), counts };
  }

  #feature(name: string, rows: number, missingShare: number, unseenShare: number) {
    const bins = new Array<number>(FEATURE_BINS).fill(0);
    let [missing, unseen] = [0, 0];
    for (let row = 0; row < rows; row++) {
      if (this.#random.nextUniform() < missingShare) missing++;
      else if (this.#random.nextUniform() < unseenShare) unseen++;
      else bins[this.#random.nextBelow(FEATURE_BINS)]!++;
    }
    return { name, values: rows, missing, unseen, bins };
  }

  validation(): ModelReference {
    const { profile, scores } = this.draw('validation', VALIDATION_ROWS);
    const spread = { missing: 0.01, unseen: 0.01, psi: 0.01 };
    const scoreOf = (name: keyof typeof scores) => ({
      ...{ mean: scores[name].mean!, counts: scores[name].counts, meanRatio: 1.05, psi: 0.01 },
    });
    return reference({
      rows: VALIDATION_ROWS,
      features: profile.features.map(({ name, bins: counts, ...rest }) => ({
        ...{ name, counts, spread, ...rest },
        bins: { kind: 'ids', ends: Array.from({ length: FEATURE_BINS - 1 }, (_, bin) => bin + 1) },
      })),
      scores: { pctr: scoreOf('pctr'), pcvr: scoreOf('pcvr'), pctcvr: scoreOf('pctcvr') },
    });
  }
}

const VALIDATION = new Nights().validation();
const NOTHING_REPEATED = {
  ...{ compared: [], rows: [], keys: [], features: [], unpublished: [], files: [], inputKeys: [] },
  ...{ besideRows: [], besideFiles: [] },
};
/** Of the sizes of two nights nothing is said here. */
const SETTINGS = { ...DEFAULT_GATES, rows: { ...DEFAULT_GATES.rows, action: 'off' as const } };

const blocksOf = (candidate: Candidate, previous: Candidate | undefined, there: ModelReference | undefined) =>
  blockingVerdicts(
    judgePublication(
      {
        ...{ candidate, reference: there, repeatedKeys: undefined, repeatedContent: NOTHING_REPEATED },
        earlier: { ...NO_EARLIER, previous },
      },
      SETTINGS,
    ),
  ).map(({ gate, subject, against }) => `${gate} of ${subject} against ${against}`);

it.each([
  [1, 1],
  [2, 2],
  [3, 3],
  [5, 5],
  [10, 10],
  [30, 30],
  [300, 3],
  [3, 300],
])('rows that differ by chance alone are hardly ever blocked: %i of them after %i', (rows, before) => {
  const nights = new Nights();
  for (const there of [VALIDATION, undefined]) {
    const blocked = Array.from({ length: NIGHTS }, () =>
      blocksOf(nights.draw('today', rows), nights.draw('yesterday', before), there),
    ).filter((blocks) => blocks.length > 0);
    expect(blocked.length, JSON.stringify(blocked)).toBeLessThanOrEqual(0.015 * NIGHTS);
  }
});

it('of few rows that are damaged are blocked all the same: forty scores five times too high, ten rows without a value', () => {
  const nights = new Nights();
  const high = blocksOf(nights.draw('today', 40, 5), undefined, VALIDATION);
  expect(high).toContain("scoreMeans of pctr against the model's validation rows");
  const night = nights.draw('today', 10);
  const features = night.profile.features.map((each) => ({
    ...{ ...each, missing: 10, unseen: 0, bins: new Array<number>(FEATURE_BINS).fill(0) },
  }));
  const lost = blocksOf({ ...night, profile: { ...night.profile, features } }, undefined, VALIDATION);
  expect(lost).toContain("missingValues of full against the model's validation rows");
  // A third of the rows never have it: all of ten are 6 in a million.
  expect(lost).toContain("missingValues of some against the model's validation rows");
});
