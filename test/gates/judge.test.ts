import { describe, expect, it } from 'vitest';
import { judgeCalibration } from '../../lib/gates/judgeCalibration.ts';
import type { Candidate, Earlier, Judged, WorstShard } from '../../lib/gates/judged.ts';
import {
  judgeFeatureDistributions,
  judgeMissingValues,
  judgeUnseenValues,
} from '../../lib/gates/judgeFeatures.ts';
import { judgeKeySchema, judgeRepeatedContent, judgeRepeatedKeys } from '../../lib/gates/judgeKeys.ts';
import { judgeRows } from '../../lib/gates/judgeRows.ts';
import {
  judgeConstantScores,
  judgeScoreDistributions,
  judgeScoreMeans,
  judgeSliceMeans,
} from '../../lib/gates/judgeScores.ts';
import { judgeWorstShard } from '../../lib/gates/judgeWorstShard.ts';
import { type Measurement, verdictOf } from '../../lib/gates/verdict.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { SCORE_UNIT } from '../../lib/profile/partProfile.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';

// So many rows that chance adds next to nothing: what a bound is can be seen from the settings.
const MANY = 100_000_000;
const CHANCE = 0.001;
/** All rows in some bins, in equal shares. */
const countsIn = (rows: number, ...bins: readonly number[]) => {
  const counts = new Array<number>(SCORE_BINS).fill(0);
  for (const bin of bins) counts[bin] = rows / bins.length;
  return counts;
};
const NO_EARLIER: Earlier = { own: undefined, previous: undefined, weekday: undefined };
const score = (mean: number, counts = countsIn(MANY, 40, 41), min = mean / 2, max = mean * 2) => ({
  mean,
  min,
  max,
  counts,
});
const judged = (partition: string, over: Partial<Judged> = {}): Judged => ({
  partition,
  model: 'm',
  rows: MANY,
  scores: { pctr: score(0.1), pcvr: score(0.1), pctcvr: score(0.01) },
  keyTypes: [[{ name: 'id', type: 'Int64' }]],
  worstShards: new Map(),
  ...over,
});
const feature = { name: 'age', values: MANY, missing: 0, unseen: 0, bins: [MANY / 2, MANY / 2] };
const candidate = (over: Partial<Candidate> = {}): Candidate => ({
  ...judged('today'),
  profile: { rows: MANY, features: [feature], slices: [] },
  ...over,
});
const spread = { missing: 0, unseen: 0, psi: 0 };
const scoreReference = { mean: 0.1, counts: countsIn(MANY, 40, 41), meanRatio: 1, psi: 0 };
const reference = (over: Partial<ModelReference> = {}): ModelReference => ({
  referenceVersion: 1,
  rows: MANY,
  days: [],
  features: [
    {
      ...{ name: 'age', bins: { kind: 'numbers', ends: [0] }, values: MANY, missing: 0, unseen: 0 },
      ...{ counts: [MANY / 2, MANY / 2], spread },
    },
  ],
  scores: { pctr: scoreReference, pcvr: scoreReference, pctcvr: scoreReference },
  slices: [],
  rates: { click: 0.1, conversion: 0.1 },
  repeatedKeys: 0,
  ...over,
});
const isWithin = (measured: readonly Measurement[]) => measured.every((each) => each.isWithin);

describe('rows', () => {
  const judge = (rows: number, earlier: Partial<Earlier>, days: ModelReference['days'] = []) =>
    judgeRows({ rows }, { ...NO_EARLIER, ...earlier }, reference({ days }), DEFAULT_GATES.rows);
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
    const [none] = judge(0, { own: judged('today', { rows: 0 }) });
    expect(verdictOf('rows', 'block', none!).verdict).toBe('block');
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

  it('that lose every value are out of bounds whatever the factor says, unless a training day was like that', () => {
    const lost = counted({ missing: MANY });
    const wide = { ...spread, missing: 0.5 };
    expect(isWithin(judgeMissingValues(lost, usual({ spread: wide }), settings.missingValues))).toBe(false);
    const before = { ...spread, missing: 1 };
    expect(isWithin(judgeMissingValues(lost, usual({ spread: before }), settings.missingValues))).toBe(true);
  });

  it('of few rows have wider bounds: 7 of 30 rows without a value may be chance where one in 20 is usual, 233,333 of a million not', () => {
    const there = usual({ missing: 0.05 * MANY });
    const of = (rows: number, missing: number) => {
      const features = [{ ...feature, values: rows, missing, bins: [rows / 2, rows / 2] }];
      const few = candidate({ profile: { rows, features, slices: [] } });
      return isWithin(judgeMissingValues(few, there, settings.missingValues));
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

describe('keys', () => {
  const repeated = (repeatedRows: number, there: { repeatedKeys: number } | undefined, share?: number) =>
    judgeRepeatedKeys({ rows: 1_000, repeatedRows, examples: [] }, there, {
      action: 'block',
      ...(share === undefined ? {} : { share }),
    });

  it('may repeat twice as often as in training, or as the job says, and where nobody knows they warn', () => {
    expect(repeated(0, { repeatedKeys: 0 }).isWithin).toBe(true);
    expect(repeated(1, { repeatedKeys: 0 }).isWithin).toBe(false);
    expect(repeated(20, { repeatedKeys: 0.01 }).isWithin).toBe(true);
    expect(repeated(21, { repeatedKeys: 0.01 }).isWithin).toBe(false);
    expect(repeated(21, { repeatedKeys: 0.01 }, 0.021).isWithin).toBe(true);
    expect(repeated(1, undefined)).toMatchObject({ isWithin: false, atMost: 'warn' });
  });

  it('of other types are out of bounds, in one part as in all of them', () => {
    const [text] = [[{ name: 'id', type: 'Utf8' }]];
    const [whole] = judged('x').keyTypes;
    expect(isWithin(judgeKeySchema(candidate({ keyTypes: [whole!, whole!] }), NO_EARLIER))).toBe(true);
    expect(isWithin(judgeKeySchema(candidate({ keyTypes: [whole!, text!] }), NO_EARLIER))).toBe(false);
    const earlier = { ...NO_EARLIER, previous: judged('yesterday', { keyTypes: [text!] }) };
    expect(isWithin(judgeKeySchema(candidate(), earlier))).toBe(false);
  });

  it('that another date has published are out of bounds there, and nowhere else', () => {
    const spans = [{ shard: 'a.parquet', rows: 5, partition: 'yesterday' }];
    expect(judgeRepeatedContent(spans, ['yesterday', 'before'], 'rows')).toMatchObject([
      { against: 'yesterday', found: 5, isWithin: false },
      { against: 'before', found: 0, isWithin: true },
    ]);
  });
});

describe('calibration', () => {
  const settings = { ...DEFAULT_GATES.calibration, action: 'block' as const };
  /** 1,000 rows, 400 of them positive: of those some in the upper bin, of the others some. */
  const labelled = (foretold: number, positivesAbove: number, negativesAbove: number) => {
    const positiveCounts = countsIn(400 - positivesAbove, 40);
    positiveCounts[50] = positivesAbove;
    const rowCounts = countsIn(1_000 - positivesAbove - negativesAbove, 40);
    rowCounts[50] = positivesAbove + negativesAbove;
    const click = { rows: 1_000, positives: 400, score: foretold / SCORE_UNIT, rowCounts, positiveCounts };
    const labels = { click, conversion: { ...click, rows: 400, positives: 399 } };
    return candidate({ profile: { rows: 1_000, features: [], slices: [], labels } });
  };

  it('is judged by the sum of scores and by AUC, where there are enough labels of both kinds', () => {
    const found = judgeCalibration(labelled(600, 300, 300), settings);
    // AUC by pairs: a positive is above in 300 / 400 × 300 / 600, ties count half.
    const auc = 0.75 * 0.5 + 0.5 * (0.75 * 0.5 + 0.25 * 0.5);
    expect(found).toMatchObject([
      { subject: 'pctr', found: 1.5, isWithin: true },
      { subject: 'pctr', isWithin: true },
    ]);
    expect(found[1]!.found).toBeCloseTo(auc, 12);
  });

  it('blocks sums that are half as much too high or low, and scores that put positives last', () => {
    expect(judgeCalibration(labelled(601, 300, 300), settings)[0]!.isWithin).toBe(false);
    expect(judgeCalibration(labelled(266, 300, 300), settings)[0]!.isWithin).toBe(false);
    expect(judgeCalibration(labelled(400, 100, 500), settings)[1]!.isWithin).toBe(false);
  });
});

it('a reason shows the beginnings of repeated keys and rounded scores; the examples have them whole', () => {
  const key = `request="${'x'.repeat(500)}"`;
  const [pctr, pcvr] = [0.3, 1e-9].map(Math.fround) as [number, number];
  const examples = [
    {
      key,
      rows: [
        { shard: 'a.parquet', pctr, pcvr },
        { shard: 'b.parquet', pctr: 1, pcvr: 0 },
      ],
    },
  ];
  const measured = judgeRepeatedKeys(
    { rows: 100, repeatedRows: 1, examples },
    reference(),
    DEFAULT_GATES.repeatedKeys,
  );
  expect(measured.reason).toMatch(
    /such as request="x{71}… in a\.parquet \(pCTR 0\.3, pCVR 1e-9\) and b\.parquet \(pCTR 1, pCVR 0\)$/,
  );
  const verdict = verdictOf('repeatedKeys', 'block', measured);
  expect(verdict.examples).toEqual([
    `${key} in a.parquet (pCTR 0.3, pCVR 1e-9) and b.parquet (pCTR 1, pCVR 0)`,
  ]);
  const exact = Math.fround(0.123456789);
  const other = [{ key: 'k', rows: [{ shard: 'a', pctr: exact, pcvr: exact }] }];
  const { examples: whole } = judgeRepeatedKeys(
    { rows: 9, repeatedRows: 1, examples: other },
    reference(),
    DEFAULT_GATES.repeatedKeys,
  );
  expect(Math.fround(Number(/pCTR ([^,]+),/.exec(whole![0]!)![1]))).toBe(exact);
});

describe('the worst shard', () => {
  const ROWS = 100_000;
  const shard = (count: number, of: number): WorstShard => ({ shard: 'part-7.parquet', count, of });
  const worstOf = (missing: WorstShard | null, unseen: WorstShard | null = null) => ({
    worstShards: new Map([['age', { missing, unseen }]]),
  });
  /** A night whose other rows lack as many values as is told. */
  const night = (missing: WorstShard | null, elsewhere = 0, unseen: WorstShard | null = null) => {
    const counted = { missing: (missing?.count ?? 0) + elsewhere, unseen: unseen?.count ?? 0 };
    return candidate({
      ...worstOf(missing, unseen),
      profile: { rows: ROWS, features: [{ ...feature, values: ROWS, ...counted }], slices: [] },
    });
  };
  const usual = (missing: number, day = 0) => {
    const [known] = reference().features;
    const features = [{ ...known!, values: ROWS, missing, spread: { ...spread, missing: day } }];
    return reference({ rows: ROWS, features });
  };
  const judge = (today: Candidate, there = usual(0), earlier: Partial<Earlier> = {}) =>
    judgeWorstShard(today, { ...NO_EARLIER, ...earlier }, there, DEFAULT_GATES.worstShard);
  const lastNight = (missing: WorstShard | null, unseen: WorstShard | null = null, model = 'm') =>
    judged('yesterday', { ...worstOf(missing, unseen), model });

  it.each([
    [36, true],
    [37, false],
    [10_000, false],
  ])('with no value in any of %i rows is within bounds, if others have them all: %s', (rows, expected) => {
    const [measured] = judge(night(shard(rows, rows)));
    expect(measured).toMatchObject({ subject: 'age', isWithin: expected });
    expect(measured!.atMost).toBeUndefined();
    if (!expected)
      expect(measured!.reason).toContain('in part-7.parquet have no value, and 0.0% in all other');
  });

  it('may lose half of what shards usually have: in validation and a day more, or in the other rows', () => {
    // Surely 69.7% of 1,000 rows.
    const worst = shard(780, 1_000);
    for (const [validation, day, elsewhere, expected] of [
      [0.3 * ROWS, 0, 0, false],
      [0.45 * ROWS, 0, 0, true],
      [0.3 * ROWS, 0.15, 0, true],
      [0, 0, 0.3 * ROWS, false],
      [0, 0, 0.45 * ROWS, true],
    ] as const) {
      expect(isWithin(judge(night(worst, elsewhere), usual(validation, day)))).toBe(expected);
    }
  });

  it('that is like that on a night before is no news, however many rows it has today', () => {
    const empty = night(shard(10_000, 10_000));
    expect(isWithin(judge(empty, usual(0), { previous: lastNight(shard(200, 200)) }))).toBe(true);
    expect(isWithin(judge(empty, usual(0), { weekday: lastNight(shard(200, 200)) }))).toBe(true);
    // A few rows say nothing of a layout.
    expect(isWithin(judge(empty, usual(0), { previous: lastNight(shard(20, 20)) }))).toBe(false);
    expect(isWithin(judge(empty, usual(0), { previous: lastNight(shard(400, 1_000)) }))).toBe(false);
  });

  it('of unseen values is compared with publications of the same model only', () => {
    const today = night(null, 0, shard(500, 500));
    expect(isWithin(judge(today, usual(0), { previous: lastNight(null, shard(500, 500)) }))).toBe(true);
    expect(isWithin(judge(today, usual(0), { previous: lastNight(null, shard(500, 500), 'n') }))).toBe(false);
    const empty = night(shard(500, 500));
    const before = lastNight(shard(500, 500), null, 'n');
    expect(isWithin(judge(empty, usual(0), { previous: before }))).toBe(true);
  });

  it('of a first night warns at most where no more is missing in all than usually', () => {
    const shards = (elsewhere: number) => night(shard(1_000, 1_000), elsewhere);
    const [filled] = judge(shards(500), usual(0.01 * ROWS, 0.005));
    expect(filled).toMatchObject({ isWithin: false, atMost: 'warn' });
    const [more] = judge(shards(501), usual(0.01 * ROWS, 0.005));
    expect(more!.atMost).toBeUndefined();
    const [later] = judge(shards(500), usual(0.01 * ROWS, 0.005), { previous: lastNight(null) });
    expect(later!.atMost).toBeUndefined();
    expect(isWithin([later!])).toBe(false);
  });

  it('that is the whole night is left to the gates of the whole night', () => {
    expect(judge(night(shard(ROWS, ROWS)))).toEqual([]);
    expect(isWithin(judge(night(shard(ROWS - 1_000, ROWS - 1_000), 1_000)))).toBe(true);
    expect(isWithin(judge(night(shard(ROWS - 1_000, ROWS - 1_000))))).toBe(false);
  });

  it('says one line where nothing is out of bounds, and nothing where no value is missing or unseen', () => {
    expect(judge(night(shard(10, 1_000), 0, shard(20, 1_000)))).toHaveLength(2);
    expect(judge(night(null))).toEqual([]);
  });
});
