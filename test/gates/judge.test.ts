import { describe, expect, it } from 'vitest';
import type { Earlier } from '../../lib/gates/judged.ts';
import { judgeFeatureDistributions } from '../../lib/gates/judgeFeatureDistributions.ts';
import { judgeMissingValues, judgeUnseenValues } from '../../lib/gates/judgeFeatures.ts';
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
  CHANCE,
  candidate,
  countsIn,
  feature,
  isWithin,
  judged,
  MANY,
  NO_EARLIER,
  reference,
  score,
  scoreReference,
  spread,
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

describe('features', () => {
  const settings = DEFAULT_GATES;
  const counted = (over: Partial<typeof feature>) =>
    candidate({ profile: { rows: MANY, features: [{ ...feature, ...over }], slices: [] } });
  const usual = (over: object) => reference({ features: [{ ...reference().features[0]!, ...over }] });

  it.each([
    [0.1 - CHANCE, spread, true],
    [0.1 + CHANCE, spread, false],
    [0.3 - CHANCE, { ...spread, missing: 0.1, unseen: 0.1 }, true],
    [0.3 + CHANCE, { ...spread, missing: 0.1, unseen: 0.1 }, false],
  ])('that lack a share of %d with the day spread %o are within bounds: %s', (share, days, expected) => {
    const found = judgeMissingValues(
      counted({ missing: share * MANY }),
      NO_EARLIER,
      usual({ spread: days }),
      settings.missingValues,
    );
    expect(isWithin(found)).toBe(expected);
  });

  it.each([
    [0.2 - CHANCE, true],
    [0.2 + CHANCE, false],
  ])('of which a share of %d is new are within bounds: %s', (share, expected) => {
    const found = judgeUnseenValues(counted({ unseen: share * MANY }), usual({}), settings.unseenValues);
    expect(isWithin(found)).toBe(expected);
  });

  it('are told of in rows where values are missing, in values where they are new', () => {
    const missing = judgeMissingValues(
      counted({ missing: 0.6 * MANY }),
      NO_EARLIER,
      usual({}),
      settings.missingValues,
    );
    const unseen = judgeUnseenValues(counted({ unseen: 0.6 * MANY }), usual({}), settings.unseenValues);
    expect(missing[0]!.reason).toBe('60.0% of the rows have no value, against 0.0%');
    expect(unseen[0]!.reason).toMatch(/^60\.0% of the values are new to the model, against \d\.\d%$/);
  });

  it.each([
    [0.5 - CHANCE, true],
    [0.5 + CHANCE, false],
    [-1, true],
  ])(
    'that are lists, and have become shorter by a share of %d where there are any, are within bounds: %s',
    (gone, expected) => {
      // Half of the rows have four values each; as many rows as before have some.
      const there = usual({ values: 2 * MANY, missing: 0.5 * MANY });
      const here = counted({ values: (1 - gone) * 2 * MANY, missing: 0.5 * MANY });
      expect(isWithin(judgeMissingValues(here, NO_EARLIER, there, settings.missingValues))).toBe(expected);
    },
  );

  it('that are lists of few rows may be shorter by chance', () => {
    const there = usual({ values: 2 * MANY, missing: 0.5 * MANY });
    const of = (rows: number) => {
      const features = [{ ...feature, values: rows / 2, missing: rows / 2 }];
      return isWithin(
        judgeMissingValues(
          candidate({ profile: { rows, features, slices: [] } }),
          NO_EARLIER,
          there,
          settings.missingValues,
        ),
      );
    };
    expect(of(20)).toBe(true);
    expect(of(1_000)).toBe(false);
  });

  it.each([
    ['none is missing where a fifth was', 1_000_000, 0, {}, spread, ['warn']],
    ['one is missing', 1_000_000, 1, {}, spread, []],
    ['a training day had none missing either', 1_000_000, 0, {}, { ...spread, missing: 0.07 }, []],
    ['so few rows may have all by chance', 30, 0, {}, spread, []],
    ['a region may have all', 1_000_000, 0, { isPartOfDay: true }, spread, []],
  ] as const)('that are filled in warn: %s', (_, rows, missing, part, days, expected) => {
    const here = candidate({
      profile: { rows, features: [{ ...feature, values: rows, missing, bins: [rows, 0] }], slices: [] },
    });
    const there = usual({ missing: 0.2 * MANY, spread: days });
    const found = judgeMissingValues(here, { ...NO_EARLIER, ...part }, there, settings.missingValues);
    const verdicts = found.map((each) => verdictOf('missingValues', 'block', each).verdict);
    expect(verdicts.filter((verdict) => verdict !== 'pass')).toEqual(expected);
  });

  it('that lose every value are out of bounds whatever the factor says, unless a training day was like that', () => {
    const lost = counted({ missing: MANY });
    const wide = { ...spread, missing: 0.5 };
    expect(
      isWithin(judgeMissingValues(lost, NO_EARLIER, usual({ spread: wide }), settings.missingValues)),
    ).toBe(false);
    const before = { ...spread, missing: 1 };
    expect(
      isWithin(judgeMissingValues(lost, NO_EARLIER, usual({ spread: before }), settings.missingValues)),
    ).toBe(true);
  });

  it('of few rows have wider bounds: 7 of 30 rows without a value may be chance where one in 20 is usual, 233,333 of a million not', () => {
    const there = usual({ missing: 0.05 * MANY });
    const of = (rows: number, missing: number) => {
      const features = [{ ...feature, values: rows, missing, bins: [rows / 2, rows / 2] }];
      const few = candidate({ profile: { rows, features, slices: [] } });
      return isWithin(judgeMissingValues(few, NO_EARLIER, there, settings.missingValues));
    };
    expect(of(30, 7)).toBe(true);
    expect(of(1_000_000, 233_333)).toBe(false);
    expect(of(30, 30)).toBe(false);
  });

  // PSI of the shares p and 1 - p against a half each: (p - 1/2) ln(p / (1 - p)), .229 for .73 and .275 for .75.
  it.each([
    [0.73, spread, true],
    [0.75, spread, false],
    [0.75, { ...spread, psi: 0.06 }, false],
    [0.75, { ...spread, psi: 0.07 }, true],
  ])(
    'of which a share of %d is in one of two bins, spread %o, are within bounds: %s',
    (share, days, expected) => {
      const bins = [share * MANY, (1 - share) * MANY];
      const found = judgeFeatureDistributions(
        counted({ bins }),
        NO_EARLIER,
        usual({ spread: days }),
        settings.featureDistributions,
      );
      expect(isWithin(found)).toBe(expected);
    },
  );
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
});
