import { describe, expect, it } from 'vitest';
import type { Earlier, Judged } from '../../lib/gates/judged.ts';
import { VALIDATION } from '../../lib/gates/judged.ts';
import { judgeFeatureDistributions } from '../../lib/gates/judgeFeatureDistributions.ts';
import { verdictOf } from '../../lib/gates/verdict.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { candidate, feature, judged, MANY, NO_EARLIER, reference, spread } from './judgedNights.ts';

const HOURS = 4;
/** All rows in one of the bins. */
const inHour = (hour: number) => Array.from({ length: HOURS }, (_, bin) => (bin === hour ? MANY : 0));
const profileOf = (bins: readonly number[]) => ({
  ...{ rows: MANY, slices: [] },
  features: [{ ...feature, name: 'hour', bins }],
});
const WHOLE_DAYS = reference({
  features: [
    {
      ...{ name: 'hour', bins: { kind: 'numbers', ends: [0, 1, 2] }, values: MANY, missing: 0, unseen: 0 },
      ...{ counts: new Array<number>(HOURS).fill(MANY / HOURS), spread },
    },
  ],
});
const day = (partition: string, bins: readonly number[], over: Partial<Judged> = {}) =>
  judged(partition, { profile: profileOf(bins), ...over });
const hourOne = candidate({ partition: 'dt=2024-03-10/hour=01', profile: profileOf(inHour(1)) });
const verdictsOf = (earlier: Partial<Earlier>, found = hourOne) =>
  judgeFeatureDistributions(
    found,
    { ...NO_EARLIER, ...earlier },
    WHOLE_DAYS,
    DEFAULT_GATES.featureDistributions,
  ).map((each) => ({ ...verdictOf('featureDistributions', 'block', each) }));
const part = { isPartOfDay: true } as const;
const [before, weekBefore] = ['dt=2024-03-09/hour=01', 'dt=2024-03-03/hour=01'];

describe('an hour, whose rows are nothing like a whole day', () => {
  it('warns where nothing of it was published before, and blocks where nobody says that it is a part of a day', () => {
    expect(verdictsOf(part)).toMatchObject([{ verdict: 'warn', against: VALIDATION }]);
    expect(verdictsOf({})).toMatchObject([{ verdict: 'block', against: VALIDATION }]);
  });

  it('passes where the same hour of the day or the week before was like it, and blocks where neither was', () => {
    const [like, unlike] = [inHour(1), inHour(2)];
    const [previous, weekday] = [day(before, like), day(weekBefore, like)];
    expect(verdictsOf({ ...part, previous })).toMatchObject([{ verdict: 'pass', against: before }]);
    const changed = { previous: day(before, unlike), weekday };
    expect(verdictsOf({ ...part, ...changed })).toMatchObject([{ verdict: 'pass', against: weekBefore }]);
    const neither = { previous: day(before, unlike), weekday: day(weekBefore, unlike) };
    expect(verdictsOf({ ...part, ...neither })).toMatchObject([{ verdict: 'block', against: before }]);
  });

  it('is not told by what another model has counted, nor by a day whose values were missing', () => {
    const other = day(before, inHour(2), { model: 'another' });
    expect(verdictsOf({ ...part, previous: other })).toMatchObject([{ verdict: 'warn' }]);
    const empty = day(before, new Array<number>(HOURS).fill(0));
    expect(verdictsOf({ ...part, previous: empty })).toMatchObject([{ verdict: 'warn' }]);
  });

  it('passes by the model alone where it is like its whole days, whatever the day before was like', () => {
    const usual = candidate({ profile: profileOf(new Array<number>(HOURS).fill(MANY / HOURS)) });
    const previous = day(before, inHour(2));
    expect(verdictsOf({ ...part, previous }, usual)).toMatchObject([
      { verdict: 'pass', against: VALIDATION },
    ]);
  });
});

it('a whole day is held to the model, though the day before was as far from it', () => {
  const previous = day('dt=2024-03-09', inHour(1));
  const whole = candidate({ partition: 'dt=2024-03-10', profile: profileOf(inHour(1)) });
  expect(verdictsOf({ previous }, whole)).toMatchObject([{ verdict: 'block', against: VALIDATION }]);
});
