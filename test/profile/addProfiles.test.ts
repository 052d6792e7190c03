import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureLayout } from '../../lib/features/featureLayout.ts';
import {
  addProfiles,
  emptyLabels,
  emptyProfile,
  refuseOtherFeatures,
} from '../../lib/profile/addProfiles.ts';
import { type LabelProfile, type PartProfile, partProfileSchema } from '../../lib/profile/partProfile.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';

const count = fc.nat(2 ** 40);
const counts = (length: number) => fc.array(count, { minLength: length, maxLength: length });
const labelProfile: fc.Arbitrary<LabelProfile> = fc.record({
  rows: count,
  positives: count,
  score: count,
  rowCounts: counts(SCORE_BINS),
  positiveCounts: counts(SCORE_BINS),
});
/** Of one contract; of one of two references, or of none. */
const profileWith = (binCount: number, sliceCount: number): fc.Arbitrary<PartProfile> => {
  const feature = (name: string) =>
    fc.record({
      name: fc.constant(name),
      values: count,
      missing: count,
      unseen: count,
      bins: counts(binCount),
    });
  const slice = fc.record({ rows: count, pctr: count, pcvr: count });
  const slices = fc.record({
    name: fc.constant('city'),
    slices: fc.array(slice, { minLength: sliceCount, maxLength: sliceCount }),
  });
  return fc.record(
    {
      rows: count,
      features: fc.tuple(feature('city'), feature('age')),
      slices: sliceCount === 0 ? fc.constant([]) : fc.tuple(slices),
      labels: fc.record({ click: labelProfile, conversion: labelProfile }),
    },
    { requiredKeys: ['rows', 'features', 'slices'] },
  );
};
const ofOneModel = profileWith(3, 2);
const any = fc.oneof(ofOneModel, profileWith(4, 2), profileWith(3, 5), profileWith(0, 0));

describe('adding profiles', () => {
  it('gives the same in whatever order, and whatever references the sides were counted by', () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        expect(addProfiles(a, b)).toEqual(addProfiles(b, a));
        expect(addProfiles(addProfiles(a, b), c)).toEqual(addProfiles(a, addProfiles(b, c)));
      }),
    );
  });

  it('adds every number to its like, and nothing else', () => {
    /** All numbers by their paths. */
    const numbers = (value: unknown, path = ''): [string, number][] =>
      typeof value === 'number'
        ? [[path, value]]
        : typeof value === 'object' && value !== null
          ? Object.entries(value).flatMap(([key, each]) => numbers(each, `${path}.${key}`))
          : [];
    fc.assert(
      fc.property(ofOneModel, ofOneModel, (a, b) => {
        const other = new Map(numbers(b));
        const own = new Map(numbers(a));
        const wanted = [...new Set([...own.keys(), ...other.keys()])].map((path) => [
          path,
          (own.get(path) ?? 0) + (other.get(path) ?? 0),
        ]);
        const sum = addProfiles(a, b);
        expect(new Map(numbers(sum))).toEqual(new Map(wanted as [string, number][]));
        expect(partProfileSchema.parse(sum)).toEqual(sum);
      }),
    );
  });

  it('drops bins and slices of different references, and keeps how often values were missing or unseen', () => {
    const of = (bins: number[], slices: PartProfile['slices']): PartProfile => ({
      rows: 5,
      features: [{ name: 'city', values: 5, missing: 1, unseen: 2, bins }],
      slices,
    });
    const slice = { rows: 5, pctr: 7, pcvr: 9 };
    const dropped = { rows: 10, features: [{ name: 'city', values: 10, missing: 2, unseen: 4, bins: [] }] };
    expect(addProfiles(of([1, 1], []), of([2], []))).toEqual({ ...dropped, slices: [] });
    const [byCity, byHour] = ['city', 'hour'].map((name) => [{ name, slices: [slice] }]);
    expect(addProfiles(of([1], byCity!), of([], byHour!))).toEqual({ ...dropped, slices: [] });
  });
});

describe('the profile of no rows', () => {
  const layout = { singles: [{ name: 'city' }], lists: [{ name: 'recent' }], numerics: [{ name: 'age' }] };
  const bins = {
    features: [
      { name: 'age', bins: { kind: 'numbers' as const, ends: [] } },
      { name: 'city', bins: { kind: 'ids' as const, ends: [1, 4] } },
    ],
    slices: [{ name: 'city', ids: [3, 1] }],
  };
  const noValues = { values: 0, missing: 0, unseen: 0 };
  const empty = emptyProfile(layout as unknown as FeatureLayout, bins);

  it('has a count for each bin and slice of the reference, in the order of the encoder', () => {
    const slice = { rows: 0, pctr: 0, pcvr: 0 };
    expect(empty).toEqual({
      rows: 0,
      features: [
        { name: 'city', ...noValues, bins: [0, 0, 0] },
        { name: 'recent', ...noValues, bins: [] },
        { name: 'age', ...noValues, bins: [0] },
      ],
      slices: [{ name: 'city', slices: [slice, slice, slice] }],
    });
    expect(emptyProfile(layout as unknown as FeatureLayout)).toMatchObject({
      features: [{ bins: [] }, { bins: [] }, { bins: [] }],
      slices: [],
    });
  });

  it('changes nothing that it is added to', () => {
    const one = addProfiles(empty, { ...empty, labels: { click: emptyLabels(), conversion: emptyLabels() } });
    expect(one.labels).toEqual({ click: emptyLabels(), conversion: emptyLabels() });
    expect(addProfiles(one, empty)).toEqual(one);
    expect(emptyLabels()).toEqual({
      rows: 0,
      positives: 0,
      score: 0,
      rowCounts: new Array(65).fill(0),
      positiveCounts: new Array(65).fill(0),
    });
  });
});

it('profiles of other features, or of the same ones in another order, are refused by the name of their file', () => {
  const [city, age] = ['city', 'age'].map((name) => ({ name, values: 1, missing: 0, unseen: 0, bins: [] }));
  const of = (...features: PartProfile['features']): PartProfile => ({ rows: 1, features, slices: [] });
  const whole = of(city!, age!);
  refuseOtherFeatures(whole.features, of(city!, { ...age!, values: 7 }).features, 'receipt');
  for (const other of [of(city!), of(age!, city!), of(city!, age!, age!)]) {
    expect(() => refuseOtherFeatures(whole.features, other.features, 'receipt')).toThrow(
      expect.objectContaining({ code: 'PUBLISH_DOCUMENT_INVALID', location: { file: 'receipt' } }),
    );
  }
});
