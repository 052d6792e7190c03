import { describe, expect, it } from 'vitest';
import type { Earlier } from '../../lib/gates/judged.ts';
import { judgePublication } from '../../lib/gates/judgePublication.ts';
import { judgeRows } from '../../lib/gates/judgeRows.ts';
import {
  judgeConstantScores,
  judgeScoreDistributions,
  judgeScoreMeans,
  judgeSliceMeans,
} from '../../lib/gates/judgeScores.ts';
import { verdictOf } from '../../lib/gates/verdict.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { SCORE_UNIT } from '../../lib/profile/partProfile.ts';
import {
  candidate,
  countsIn,
  isWithin,
  judged,
  MANY,
  NO_EARLIER,
  reference,
  score,
  scoreReference,
} from './judgedNights.ts';

describe('rows', () => {
  const judge = (
    rows: number,
    earlier: Partial<Earlier>,
    days: ModelReference['days'] = [],
    partition = 'dt=2024-03-10',
  ) => judgeRows({ partition, rows }, { ...NO_EARLIER, ...earlier }, reference({ days }), DEFAULT_GATES.rows);
  const with1000 = (partition: string) => judged(partition, { rows: 1_000 });

  it.each([
    [700, true],
    [699, false],
    [1_700, true],
    [1_701, false],
  ])('of %i after a day of 1,000 are within bounds: %s', (rows, expected) => {
    expect(isWithin(judge(rows, { previous: with1000('yesterday') }))).toBe(expected);
    expect(isWithin(judge(rows, { weekday: with1000('last week') }))).toBe(expected);
  });

  it('may shrink as far as training days did, and a tenth more, but not against the same weekday', () => {
    const days = [
      { day: '2024-03-01', rows: 1_000 },
      { day: '2024-03-02', rows: 500 },
      { day: '2024-03-09', rows: 10 },
    ];
    expect(isWithin(judge(455, { previous: with1000('yesterday') }, days))).toBe(true);
    expect(isWithin(judge(454, { previous: with1000('yesterday') }, days))).toBe(false);
    expect(isWithin(judge(455, { weekday: with1000('last week') }, days))).toBe(false);
  });

  it('of a visible partition may grow up to those of other days, and may not shrink', () => {
    const own = judged('today', { rows: 100 });
    expect(isWithin(judge(1_700, { own, previous: with1000('yesterday') }))).toBe(true);
    expect(isWithin(judge(1_701, { own, previous: with1000('yesterday') }))).toBe(false);
    expect(isWithin(judge(70, { own, previous: with1000('yesterday') }))).toBe(true);
    expect(isWithin(judge(69, { own }))).toBe(false);
  });

  it('of a first publication are compared with the training days and warn at most; none at all block', () => {
    const days = [{ day: '2024-03-01', rows: 1_000 }];
    const [few] = judge(699, {}, days);
    expect(few).toMatchObject({ isWithin: false, atMost: 'warn' });
    expect(verdictOf('rows', 'block', few!).verdict).toBe('warn');
    // Of whole days written in another way, too.
    for (const partition of ['day=20240310', 'year=2024/month=3/day=10', 'y=2024/m=03/d=10']) {
      expect(judge(699, {}, days, partition)).toEqual([few]);
    }
    const [none] = judge(0, { own: judged('today', { rows: 0 }) });
    expect(verdictOf('rows', 'block', none!).verdict).toBe('block');
  });
});

describe('rows of a part of a day', () => {
  const days = [{ day: '2024-03-01', rows: 1_000 }];
  const parts = ['dt=2024-03-10/hour=06', 'region=EU/dt=2024-03-10', 'dt=2024-03-10/shop=7', 'all'];
  const rowVerdicts = (partition: string, rows: number, earlier: Partial<Earlier> = {}) =>
    judgePublication(
      {
        ...{ candidate: candidate({ partition, rows }), earlier: { ...NO_EARLIER, ...earlier } },
        ...{ reference: reference({ days }), repeatedKeys: undefined },
        repeatedContent: {
          compared: [],
          rows: [],
          keys: [],
          features: [],
          unpublished: [],
          files: [],
          inputKeys: [],
          besideRows: [],
          besideFiles: [],
        },
      },
      DEFAULT_GATES,
    ).filter(({ gate }) => gate === 'rows');

  it.each(parts)(
    'such as %s are not compared with whole training days: skipped with the reason',
    (partition) => {
      expect(rowVerdicts(partition, 40)).toEqual([
        expect.objectContaining({
          verdict: 'skipped',
          reason: expect.stringContaining("rows of whole days, which this partition isn't"),
        }),
      ]);
      expect(rowVerdicts('dt=2024-03-10', 40)).toEqual([expect.objectContaining({ verdict: 'warn' })]);
    },
  );

  it('are those that the layout says, whatever the name looks like', () => {
    expect(rowVerdicts('day=D20240310', 40)).toMatchObject([{ verdict: 'skipped' }]);
    expect(rowVerdicts('day=D20240310', 40, { isWholeDay: true })).toMatchObject([{ verdict: 'warn' }]);
    const skipped = rowVerdicts('month=2024-03/shop=10', 40, { isWholeDay: false });
    expect(skipped).toMatchObject([
      { verdict: 'skipped', reason: expect.stringContaining("which this partition isn't") },
    ]);
  });

  it.each(parts)('such as %s are compared with the same part of the day before, and block', (partition) => {
    const previous = judged('the day before', { rows: 1_000 });
    expect(rowVerdicts(partition, 40, { previous })).toEqual([
      expect.objectContaining({ verdict: 'block', against: 'the day before' }),
    ]);
    expect(rowVerdicts(partition, 0)).toEqual([expect.objectContaining({ verdict: 'block' })]);
  });
});

describe('scores', () => {
  const withPctr = (pctr: ReturnType<typeof score>) =>
    candidate({ scores: { pctr, pcvr: score(0.1), pctcvr: score(0.01) } });

  it.each([
    [0.1 * 1.5, true],
    [0.1 * 1.502, false],
    [0.1 / 1.5, true],
    [0.1 / 1.502, false],
    [0, false],
  ])('of a mean of %d where .1 is usual are within bounds: %s', (mean, expected) => {
    const of = (earlier: Earlier, there: ModelReference | undefined) =>
      isWithin(judgeScoreMeans(withPctr(score(mean)), earlier, there, DEFAULT_GATES.scoreMeans));
    expect(of(NO_EARLIER, reference())).toBe(expected);
    expect(of({ ...NO_EARLIER, previous: judged('yesterday') }, undefined)).toBe(expected);
    // Of another model nothing follows.
    expect(of({ ...NO_EARLIER, previous: judged('yesterday', { model: 'other' }) }, undefined)).toBe(true);
  });

  it('that moved to other bins are out of bounds, however equal their mean is', () => {
    const moved = withPctr(score(0.1, countsIn(MANY, 50, 51)));
    const { scoreDistributions } = DEFAULT_GATES;
    expect(isWithin(judgeScoreDistributions(moved, NO_EARLIER, reference(), scoreDistributions))).toBe(false);
    expect(isWithin(judgeScoreDistributions(candidate(), NO_EARLIER, reference(), scoreDistributions))).toBe(
      true,
    );
  });

  it('that are nearly all in one bin are out of bounds, unless the model is like that and they differ', () => {
    const counts = countsIn(0.98 * MANY, 40);
    counts[41] = 0.02 * MANY;
    const of = (found: ReturnType<typeof score>, there: ModelReference) =>
      isWithin(judgeConstantScores(withPctr(found), there, DEFAULT_GATES.constantScores));
    expect(of(score(0.1, counts), reference())).toBe(true);
    expect(of(score(0.1, countsIn(MANY, 40)), reference())).toBe(false);
    const narrow = { ...scoreReference, counts: countsIn(MANY, 40) };
    const alike = reference({ scores: { ...reference().scores, pctr: narrow } });
    expect(of(score(0.1, countsIn(MANY, 40)), alike)).toBe(true);
    expect(of(score(0.1, countsIn(99, 40), 0.1, 0.1), alike)).toBe(true);
    // Of a model with 99.5% there, more than that is more of the same, however many rows say so.
    const shared = (share: number) => {
      const bins = countsIn(share * MANY, 40);
      bins[41] = (1 - share) * MANY;
      return bins;
    };
    const pctr = { ...scoreReference, counts: shared(0.995) };
    const nearly = reference({ scores: { ...reference().scores, pctr } });
    expect(of(score(0.1, shared(0.998)), nearly)).toBe(true);
    expect(of(score(0.1, shared(0.998)), reference())).toBe(false);
  });

  it('that are all in one bin pass where chance may have it so: few rows of a model with 95% there', () => {
    const counts = countsIn(0.95 * MANY, 40);
    counts[41] = 0.05 * MANY;
    const there = reference({ scores: { ...reference().scores, pctr: { ...scoreReference, counts } } });
    const of = (rows: number) =>
      isWithin(
        judgeConstantScores(withPctr(score(0.1, countsIn(rows, 40))), there, DEFAULT_GATES.constantScores),
      );
    // 0.95^120 is 2 in 1,000; 0.95^240 is 5 in a million.
    expect(of(120)).toBe(true);
    expect(of(240)).toBe(false);
  });

  it.each<[string, readonly number[], number, boolean]>([
    ['equal in one bin', [40], 0, false],
    ["equal on both sides of a bin's end", [40, 41], 0, false],
    ['less than 1% of the mean apart', [40], 0.0099, false],
    ["within 1% of the mean on both sides of a bin's end", [40, 41], 0.0099, false],
    ['further apart', [40], 0.0101, true],
  ])(
    'that are %s pass where the reference is narrow as well only if they are not constant',
    (_, bins, range, expected) => {
      const narrow = { ...scoreReference, counts: countsIn(MANY, ...bins) };
      const there = reference({ scores: { ...reference().scores, pctr: narrow } });
      for (const rows of [100, MANY]) {
        const here = withPctr(score(0.125, countsIn(rows, ...bins), 0.125, 0.125 * (1 + range)));
        for (const against of [there, undefined]) {
          const found = judgeConstantScores(here, against, DEFAULT_GATES.constantScores);
          if (!expected) expect(isWithin(found)).toBe(false);
          else if (against !== undefined) expect(isWithin(found)).toBe(true);
        }
      }
      const all0 = withPctr(score(0, countsIn(100, 0), 0, 0));
      expect(isWithin(judgeConstantScores(all0, there, DEFAULT_GATES.constantScores))).toBe(false);
    },
  );

  it.each([
    [2, true],
    [2.01, false],
  ])('of a slice whose mean is %d times the usual one are within bounds: %s', (times, expected) => {
    const pctr = Math.round((times * 0.1 * MANY) / SCORE_UNIT);
    const slices = [{ rows: MANY, pctr, pcvr: (0.1 * MANY) / SCORE_UNIT }];
    const there = reference({
      slices: [{ name: 'device', ids: [], values: [], slices: [{ rows: MANY, pctr: 0.1, pcvr: 0.1 }] }],
    });
    const here = candidate({
      profile: { rows: MANY, features: [], slices: [{ name: 'device', slices }] },
    });
    const found = judgeSliceMeans(here, there, DEFAULT_GATES.sliceMeans);
    expect(found).toHaveLength(2);
    expect(isWithin(found)).toBe(expected);
  });

  it.each([
    [30, 30, 2],
    [29, 30, 0],
    [30, 29, 0],
  ])('of a slice of %i rows, and %i in validation, are looked at in %i scores', (rows, usualRows, looked) => {
    const units = Math.round((0.1 * rows) / SCORE_UNIT);
    const there = reference({
      slices: [{ name: 'device', ids: [], values: [], slices: [{ rows: usualRows, pctr: 0.1, pcvr: 0.1 }] }],
    });
    const slices = [{ name: 'device', slices: [{ rows, pctr: units, pcvr: units }] }];
    const here = candidate({ profile: { rows: MANY, features: [], slices } });
    expect(judgeSliceMeans(here, there, DEFAULT_GATES.sliceMeans)).toHaveLength(looked);
  });
});
