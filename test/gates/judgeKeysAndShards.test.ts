import { describe, expect, it } from 'vitest';
import { judgeCalibration } from '../../lib/gates/judgeCalibration.ts';
import type { Candidate, Earlier, WorstShard } from '../../lib/gates/judged.ts';
import { judgeKeySchema, judgeRepeatedContent, judgeRepeatedKeys } from '../../lib/gates/judgeKeys.ts';
import { judgeWorstShard } from '../../lib/gates/judgeWorstShard.ts';
import { verdictOf } from '../../lib/gates/verdict.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { SCORE_UNIT } from '../../lib/profile/partProfile.ts';
import {
  candidate,
  countsIn,
  feature,
  isWithin,
  judged,
  NO_EARLIER,
  reference,
  spread,
} from './judgedNights.ts';

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
    // What readers see of the partition itself counts as much as yesterday.
    const own = judged('today', { keyTypes: [text!] });
    expect(isWithin(judgeKeySchema(candidate(), { ...NO_EARLIER, own }))).toBe(false);
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
