import { describe, expect, it } from 'vitest';
import type { Earlier, Judged } from '../../lib/gates/judged.ts';
import { judgeShiftedShard } from '../../lib/gates/judgeShiftedShard.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { candidate, feature, judged, NO_EARLIER, reference, spread } from './judgedNights.ts';

type Bins = readonly number[];

const USUAL = [25_000, 25_000, 25_000, 25_000];
/** 12,000 values in all but one bin's place. */
const LIKE_ALL = [3_000, 3_000, 3_000, 3_000];
const ALL_IN_LAST = [0, 0, 0, 12_000];
const shards = (...bins: readonly Bins[]) =>
  new Map([['age', bins.map((each, index) => ({ shard: `part-${index}.parquet`, bins: each }))]]);
const sum = (...all: readonly Bins[]) =>
  USUAL.map((_, bin) => all.reduce((sum, bins) => sum + bins[bin]!, 0));
const usual = (psi = 0.02) => {
  const [known] = reference().features;
  return reference({ features: [{ ...known!, counts: USUAL, spread: { ...spread, psi } }] });
};
/** Six shards of 12,000 rows. */
const night = (...all: readonly Bins[]) =>
  candidate({
    shiftedShards: shards(...all),
    profile: { rows: 72_000, features: [{ ...feature, bins: sum(...all) }], slices: [] },
  });
const others = (count: number, bins: Bins = LIKE_ALL) => new Array<Bins>(count).fill(bins);
const yesterday = (...all: readonly Bins[]): Judged => judged('yesterday', { shiftedShards: shards(...all) });
const judge = (today: ReturnType<typeof night>, there = usual(), earlier: Partial<Earlier> = {}) =>
  judgeShiftedShard(today, { ...NO_EARLIER, ...earlier }, there, DEFAULT_GATES.worstShard);

describe('a shard whose values are distributed otherwise than all others', () => {
  it('blocks, as one of six and as one of two, on a first night too', () => {
    for (const count of [5, 1]) {
      const [measured] = judge(night(...others(count), ALL_IN_LAST));
      expect(measured).toMatchObject({ subject: 'age', isWithin: false, bound: 0.5 });
      expect(measured!.atMost).toBeUndefined();
      expect(measured!.reason).toContain(`12000 values in part-${count}.parquet`);
    }
  });

  it('blocks where the feature moves far from day to day, as long as the other shards are alike', () => {
    const today = [6_000, 6_000, 0, 0];
    const [measured] = judge(night(...others(5, today), ALL_IN_LAST), usual(50), {
      previous: yesterday(...others(6, [0, 6_000, 6_000, 0])),
    });
    expect(measured).toMatchObject({ isWithin: false });
    expect(judge(night(...others(6, today)), usual(50))).toEqual([]);
  });

  it('passes where another one is as far, as hours in the order of time are', () => {
    const hours = [
      [12_000, 0, 0, 0],
      [0, 12_000, 0, 0],
      [0, 0, 12_000, 0],
      [0, 0, 0, 12_000],
    ];
    expect(judge(night(...hours))).toEqual([]);
  });

  it('passes where an earlier publication of the same model has such a shard', () => {
    const today = night(...others(5), ALL_IN_LAST);
    const layout = yesterday(...others(5), ALL_IN_LAST);
    expect(judge(today, usual(), { previous: layout })).toEqual([]);
    expect(judge(today, usual(), { weekday: layout })).toEqual([]);
    expect(judge(today, usual(), { previous: { ...layout, model: 'n' } })).toHaveLength(1);
    expect(judge(today, usual(), { previous: yesterday(...others(6)) })).toHaveLength(1);
  });

  it('warns at most on a first night whose values are in all like a training day’s', () => {
    const region = [4_000, 4_000, 4_000, 0];
    const today = night(...others(3, region), ALL_IN_LAST);
    expect(judge(today)).toMatchObject([{ atMost: 'warn' }]);
    const [later] = judge(today, usual(), { previous: yesterday(...others(4)) });
    expect(later!.atMost).toBeUndefined();
  });

  it('warns from the floor on and blocks from twice as much', () => {
    const half = [1_500, 1_500, 1_500, 7_500];
    const more = [900, 900, 900, 9_300];
    for (const [bins, atMost] of [
      [half, 'warn'],
      [more, undefined],
    ] as const) {
      expect(judge(night(...others(5), bins))[0]!.atMost).toBe(atMost);
    }
    expect(judge(night(...others(5), [2_500, 2_500, 2_500, 4_500]))).toEqual([]);
  });

  it('says nothing of few rows, which chance alone makes like that', () => {
    expect(judge(night(...others(5), [0, 0, 0, 8]))).toEqual([]);
  });

  it('that is the whole night is left to the gates of the whole night', () => {
    expect(judge(night(ALL_IN_LAST))).toEqual([]);
  });
});
