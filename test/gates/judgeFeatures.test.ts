import { describe, expect, it } from 'vitest';
import { judgeFeatureDistributions } from '../../lib/gates/judgeFeatureDistributions.ts';
import { judgeMissingValues, judgeUnseenValues } from '../../lib/gates/judgeFeatures.ts';
import { verdictOf } from '../../lib/gates/verdict.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { CHANCE, candidate, feature, isWithin, MANY, NO_EARLIER, reference, spread } from './judgedNights.ts';

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
