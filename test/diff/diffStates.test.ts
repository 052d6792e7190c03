import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { type DiffOptions, diffStates, type StateDiff } from '../../lib/diff/diffStates.ts';
import { diffPage, diffText } from '../../lib/diff/renderDiff.ts';
import { populationStability } from '../../lib/profile/populationStability.ts';
import { SCORE_BINS, scoreBinOf } from '../../lib/profile/scoreHistogram.ts';
import { type FoundState, findState } from '../../lib/publish/findState.ts';
import { below } from '../../lib/publish/outputLayout.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { first, freshPlace, PARTITION, put, replacing, run, second } from '../publish/partitionUnderTest.ts';
import { KEY_NAMES, keyRows, keyShard, withRowKeys } from '../scoring/keyShard.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { bitsOf, type NaiveRow, naiveOrder, naiveTau } from './naiveRanking.ts';

const folder = temporaryFolder();

const place = freshPlace(join(folder, 'diffed'));
let before: FoundState;
let after: FoundState;
let model: ModelBundle;
let otherModel: ModelBundle;

const OPTIONS: DiffOptions = { rankBy: 'pctcvr', top: 3, movers: 5, group: 'hour' };
const diff = (options: Partial<DiffOptions> = {}) => diffStates(before, after, { ...OPTIONS, ...options });
const ungrouped = () => {
  const { group, ...options } = OPTIONS;
  return diffStates(before, after, options);
};

interface ReadRow {
  readonly key: string;
  readonly hour: number;
  readonly scores: Readonly<Record<string, number>>;
}

/** The rows of a state, by apache-arrow's own table. */
async function rowsOf({ root, manifest }: FoundState): Promise<ReadRow[]> {
  const rows: ReadRow[] = [];
  for (const { path } of manifest.parts) {
    const uri = below(root, path);
    for (const row of tableFromIPC(await storageFor(uri).readWhole(uri)).toArray()) {
      const { impression_id, hour, ...scores } = row!.toJSON() as Record<string, number>;
      rows.push({ key: String(impression_id), hour: hour!, scores });
    }
  }
  return rows;
}

beforeAll(async () => {
  const config = { contract: { rowKeys: ['impression_id', 'hour'] } };
  ({ bundle: model } = await trainTinyModel(join(folder, 'model-1'), { config }));
  ({ bundle: otherModel } = await trainTinyModel(join(folder, 'model-2'), {
    config: { ...config, modelVersion: 'tiny-2', training: { seed: 7 } },
  }));
  await put(place, 'a.parquet', first);
  await put(place, 'b.parquet', second);
  await run(place, model);
  // 150 rows go, 260 others come.
  await storageFor(place.inputUri).remove(joinUri(place.inputUri, 'b.parquet'));
  await put(place, 'c.parquet', replacing);
  await run(place, otherModel);
  before = await findState(place.root, PARTITION, 'before');
  after = await findState(place.root, PARTITION, 'current');
}, 60_000);

describe('a diff of two published states', () => {
  it('joins them by their keys, and ranks, moves and overlaps as a plain implementation says', async () => {
    const found = await diff();
    const [from, to] = [await rowsOf(before), await rowsOf(after)];
    expect(found.rows).toEqual({ inBoth: 400, onlyFrom: 150, onlyTo: 260 });
    const hours = [...new Set([...from, ...to].map(({ hour }) => hour))];
    const sums = {
      tau: 0,
      taus: 0,
      overlap: 0,
      changed: 0,
      first: 0,
      moved: 0,
      places: 0,
      rows: 0,
      compared: 0,
    };
    for (const hour of hours) {
      const ranked = (rows: readonly ReadRow[]): NaiveRow[] =>
        rows.flatMap((row) => (row.hour === hour ? [{ key: row.key, score: row.scores.pctcvr! }] : []));
      const [a, b] = [ranked(from), ranked(to)];
      const scoreIn = (rows: readonly NaiveRow[]) => new Map(rows.map(({ key, score }) => [key, score]));
      const [inA, inB] = [scoreIn(a), scoreIn(b)];
      const common = a.filter(({ key }) => inB.has(key)).map(({ key }) => key);
      if (common.length < 2) continue;
      const { tau, isChanged } = naiveTau(
        common.map((key) => inA.get(key)!),
        common.map((key) => inB.get(key)!),
      );
      const [orderA, orderB] = [naiveOrder(a), naiveOrder(b)];
      const topA = new Set(orderA.slice(0, 3));
      const shared = orderB.slice(0, 3).filter((key) => topA.has(key)).length;
      const placeIn = (order: readonly string[]) => {
        const kept = order.filter((key) => inA.has(key) && inB.has(key));
        return new Map(kept.map((key, index) => [key, index]));
      };
      const [placeA, placeB] = [placeIn(orderA), placeIn(orderB)];
      const moves = common.map((key) => Math.abs(placeA.get(key)! - placeB.get(key)!));
      sums.compared++;
      if (tau !== null) sums.taus++;
      sums.tau += tau ?? 0;
      sums.overlap += shared / Math.min(3, Math.max(a.length, b.length));
      if (isChanged) sums.changed++;
      if (orderA[0] !== orderB[0]) sums.first++;
      sums.moved += moves.filter((move) => move > 0).length;
      sums.places += moves.reduce((sum, move) => sum + move, 0);
      sums.rows += common.length;
    }
    expect(sums.compared).toBeGreaterThan(15);
    expect(found.ranking).toEqual({
      groups: hours.length,
      groupsOnlyFrom: 0,
      groupsOnlyTo: 0,
      comparedGroups: sums.compared,
      changedShare: sums.changed / sums.compared,
      otherFirstShare: sums.first / sums.compared,
      top: 3,
      meanTopOverlap: expect.closeTo(sums.overlap / sums.compared, 12),
      meanTau: expect.closeTo(sums.tau / sums.taus, 12),
      tauGroups: sums.taus,
      movedShare: sums.moved / sums.rows,
      meanPlaces: sums.places / sums.rows,
    });
    expect(found.ranking.meanTau).toBeLessThan(1);
  });

  it('measures means, PSI and quantiles of every score', async () => {
    const { shift } = await diff();
    const [from, to] = [await rowsOf(before), await rowsOf(after)];
    for (const name of ['pctr', 'pcvr', 'pctcvr'] as const) {
      const values = (rows: readonly ReadRow[]) => rows.map(({ scores }) => scores[name]!);
      const mean = (all: readonly number[]) => all.reduce((sum, value) => sum + value, 0) / all.length;
      const histogram = (all: readonly number[]) => {
        const counts = new Array<number>(SCORE_BINS).fill(0);
        for (const bits of bitsOf(all)) counts[scoreBinOf(bits)]!++;
        return counts;
      };
      const beforeByKey = new Map(from.map(({ key, scores }) => [key, scores[name]!]));
      const changes = to.flatMap(({ key, scores }) =>
        beforeByKey.has(key) ? [scores[name]! - beforeByKey.get(key)!] : [],
      );
      expect(shift[name]).toMatchObject({
        from: { rows: 550, mean: expect.closeTo(mean(values(from)), 10) },
        to: { rows: 660, mean: expect.closeTo(mean(values(to)), 10) },
        psi: expect.closeTo(populationStability(histogram(values(to)), histogram(values(from))), 10),
        meanChange: expect.closeTo(mean(changes), 10),
        meanAbsoluteChange: expect.closeTo(mean(changes.map(Math.abs)), 10),
      });
      const quantile = (all: readonly number[], share: number) =>
        [...all].sort((a, b) => a - b)[Math.floor(share * all.length)]!;
      for (const { share, ...at } of shift[name].quantiles) {
        for (const [side, all] of [
          ['from', values(from)],
          ['to', values(to)],
          ['change', changes],
        ] as const) {
          const exact = quantile(all, share);
          expect(Math.abs(at[side]! - exact), `${name} ${share} ${side}`).toBeLessThanOrEqual(
            Math.abs(exact) * 2 ** -9,
          );
        }
      }
    }
  });

  it('finds the same in one pass over the files and in many', async () => {
    const rounded = (found: StateDiff) =>
      JSON.parse(JSON.stringify(found, (_, value) => (typeof value === 'number' ? value.toFixed(9) : value)));
    const { slices, ...whole } = rounded(await diff({ slice: 'hour' }));
    const { slices: inPasses, ...passes } = rounded(await diff({ slice: 'hour', passRows: 50 }));
    expect(passes).toEqual(whole);
    // Slices of equally many rows stand in the order in which they were found, and the last of them may be others.
    expect(inPasses.values.slice(0, 5)).toEqual(expect.arrayContaining(slices.values.slice(0, 3)));
  });

  it('ranks all rows as one group when no key is named, in one pass and in many', async () => {
    const whole = await ungrouped();
    const { group, ...options } = OPTIONS;
    const passes = await diffStates(before, after, { ...options, passRows: 50 });
    const [from, to] = [await rowsOf(before), await rowsOf(after)];
    const scoreIn = (rows: readonly ReadRow[]) =>
      new Map(rows.map(({ key, scores }) => [key, scores.pctcvr!]));
    const [inFrom, inTo] = [scoreIn(from), scoreIn(to)];
    const common = from.map(({ key }) => key).filter((key) => inTo.has(key));
    const { tau } = naiveTau(
      common.map((key) => inFrom.get(key)!),
      common.map((key) => inTo.get(key)!),
    );
    for (const { ranking } of [whole, passes]) {
      expect(ranking).toMatchObject({ groups: 1, comparedGroups: 1, meanTau: expect.closeTo(tau!, 12) });
    }
    expect(passes.ranking.meanPlaces).toBeCloseTo(whole.ranking.meanPlaces!, 0);
    const largest = common
      .map((key) => ({ key, change: Math.abs(inTo.get(key)! - inFrom.get(key)!) }))
      .sort((a, b) => b.change - a.change)
      .slice(0, 5);
    for (const { movers } of [whole, passes]) {
      expect(movers.map(({ keys }) => keys.impression_id)).toEqual(largest.map(({ key }) => key));
    }
  });

  it('names the rows that moved most in their group, with both scores', async () => {
    const { movers } = await diff();
    const [inFrom, inTo] = [await rowsOf(before), await rowsOf(after)].map(
      (rows) => new Map(rows.map((row) => [row.key, row])),
    );
    const places = movers.map(({ from, to }) => Math.abs(from.place! - to.place!));
    expect(places).toEqual([...places].sort((a, b) => b - a));
    expect(places[0]).toBeGreaterThan(1);
    for (const { keys, from, to } of movers) {
      const key = keys.impression_id!;
      expect(keys.hour).toBe(String(inFrom!.get(key)!.hour));
      expect(from.score).toBe(inFrom!.get(key)!.scores.pctcvr);
      expect(to.score).toBe(inTo!.get(key)!.scores.pctcvr);
    }
  });

  it('tells the shift apart by the values of a key', async () => {
    const { slices } = await diff({ slice: 'hour' });
    const from = await rowsOf(before);
    expect(slices).toMatchObject({ key: 'hour', otherValues: 4 });
    for (const { value, shift } of slices!.values) {
      const scores = from.flatMap((row) => (String(row.hour) === value ? [row.scores.pctr!] : []));
      expect(shift.pctr.from.rows, value!).toBe(scores.length);
      expect(shift.pctr.from.mean).toBeCloseTo(scores.reduce((a, b) => a + b, 0) / scores.length, 10);
    }
    const rows = slices!.values.map(({ shift }) => shift.pctr.from.rows + shift.pctr.to.rows);
    expect(rows).toEqual([...rows].sort((a, b) => b - a));
  });

  it('finds no difference between a state and itself', async () => {
    const found = await diffStates(after, after, OPTIONS);
    expect(found.ranking).toMatchObject({
      changedShare: 0,
      otherFirstShare: 0,
      meanTopOverlap: 1,
      movedShare: 0,
    });
    expect(found.ranking.meanTau).toBe(1);
    expect(found.rows).toEqual({ inBoth: 660, onlyFrom: 0, onlyTo: 0 });
    expect(found.movers).toEqual([]);
    for (const { psi, meanAbsoluteChange } of Object.values(found.shift)) {
      expect([psi, meanAbsoluteChange]).toEqual([0, 0]);
    }
  });

  it('counts keys that are there twice apart, and compares the first of them', async () => {
    const twice = freshPlace(join(folder, 'twice'));
    await put(twice, 'a.parquet', first);
    await put(twice, 'b.parquet', first.slice(0, 30));
    await run(twice, model);
    const state = await findState(twice.root, PARTITION, 'current');
    const found = await diffStates(state, before, OPTIONS);
    expect(found.from).toMatchObject({ rows: 430, repeatedKeys: 30 });
    expect(found.to).toMatchObject({ rows: 550, repeatedKeys: 0 });
    expect(found.rows).toEqual({ inBoth: 400, onlyFrom: 0, onlyTo: 150 });
    expect(found.shift.pctr.from.rows).toBe(400);
  });

  it('joins by keys of every type, and refuses states with other keys and a group that is no key', async () => {
    const names = KEY_NAMES;
    const places = [freshPlace(join(folder, 'keys')), freshPlace(join(folder, 'keys'))] as const;
    const whole = keyRows(200).filter((row) => names.every((name) => row[name] !== null));
    for (const [index, { root, inputUri }] of places.entries()) {
      await writeWhole(joinUri(inputUri, 'a.parquet'), keyShard(whole.slice(0, whole.length - index), 50));
      await run({ root, inputUri }, withRowKeys(index === 0 ? model : otherModel, names));
    }
    const [a, b] = [
      await findState(places[0].root, PARTITION, 'current'),
      await findState(places[1].root, PARTITION, 'current'),
    ];
    const found = await diffStates(a, b, { ...OPTIONS, group: 'day' });
    expect(whole.length).toBeGreaterThan(20);
    expect(found.rows).toEqual({ inBoth: whole.length - 1, onlyFrom: 1, onlyTo: 0 });
    await expect(diffStates(a, before, { ...OPTIONS, group: 'day' })).rejects.toMatchObject({
      code: 'DIFF_KEYS_DIFFER',
      expected: expect.stringContaining('id (integer)'),
    });
    await expect(diff({ group: 'device' })).rejects.toMatchObject({
      code: 'DIFF_KEY_UNKNOWN',
      expected: 'impression_id or hour',
    });
    await expect(diff({ slice: 'device' })).rejects.toMatchObject({ code: 'DIFF_KEY_UNKNOWN' });
  });
});

describe('a rendered diff', () => {
  it('says the same in a terminal and on a page that fetches nothing and takes names for text', async () => {
    const found = await diff({ slice: 'hour' });
    const version = '<script src="https://example.org/x.js"></script>';
    const hostile = { ...found, to: { ...found.to, model: { ...found.to.model, version } } };
    const [text, page] = [diffText(found), diffPage(hostile)];
    for (const title of [
      'States',
      'Ranking by pctcvr, of rows of the same hour',
      'Score shift',
      'Biggest movers',
    ]) {
      expect(text).toContain(title);
      expect(page).toMatch(new RegExp(`<h2 id=".*">${title}</h2>`));
    }
    expect(text).toContain(`top-3 overlap, mean  `);
    for (const { keys } of found.movers) {
      expect(text).toContain(keys.impression_id!);
      expect(page).toContain(`>${keys.impression_id}</t`);
    }
    expect(page).not.toMatch(/<script|<link|<img/);
  });
});
