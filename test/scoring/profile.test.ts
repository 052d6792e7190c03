import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { emptyProfile, type ProfileBins } from '../../lib/profile/addProfiles.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { type PartProfile, partProfileSchema, SCORE_UNIT } from '../../lib/profile/partProfile.ts';
import { LEAST_SHIFT, mostShifted, surelyShifted } from '../../lib/profile/shiftedSpans.ts';
import { leastShare, WorstSpanFinder } from '../../lib/profile/worstSpans.ts';
import { scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { type FunnelRow, funnelRows, funnelShard, TINY_DATES } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { encodedByHand, profileByHand } from './profileByHand.ts';
import { floats, readTable } from './readScores.ts';

const folder = temporaryFolder();
let bundle: ModelBundle;
let bins: ProfileBins;
let pools: Record<'one' | 'three', WorkerPool>;

/** Rows of another day, some of them with values that training never saw. */
const rows: readonly FunnelRow[] = funnelRows('2024-03-09', 1_300).map((row, index) => ({
  ...row,
  ...(index % 11 === 3 ? { user_id: 7_777n } : {}),
  ...(index % 13 === 5 ? { item_id: 12n, recent_item_ids: [5n, ...row.recent_item_ids, 6n] } : {}),
  ...(index % 17 === 1 ? { tags: ['opera', null, 'news', 'opera', null, 'film', 'sport'] } : {}),
  ...(index % 19 === 2 ? { conversion: null } : {}),
}));

beforeAll(async () => {
  const trained = await trainTinyModel(join(folder, 'model'));
  // Ends that some rows' numbers are equal to, bins that nothing falls into, features with a single bin.
  const numbersOf = (name: string) =>
    [...new Set(rows.flatMap((row) => encodedByHand(trained.bundle, name, row).known))].sort((a, b) => a - b);
  const [ages, prices] = [numbersOf('age'), numbersOf('log_price')];
  const deviceOf = (device: string) =>
    encodedByHand(trained.bundle, 'device', { ...rows[0]!, device }).known[0]!;
  bins = {
    features: [
      ...Object.entries({
        user_id: [1, 6, 20],
        item_id: [10, 30],
        device: [12, 25, 49],
        hour: [],
        price: [1, 2, 4],
        tags: [1, 2, 3, 4, 5],
        recent_item_ids: [5, 50],
      }).map(([name, ends]) => ({ name, bins: { kind: 'ids' as const, ends } })),
      { name: 'age', bins: { kind: 'numbers', ends: [-100, ages[3]!, ages[20]!] } },
      { name: 'log_price', bins: { kind: 'numbers', ends: [prices[100]!, prices[300]!, prices.at(-1)!] } },
    ],
    slices: [
      { name: 'device', ids: [deviceOf('tv'), deviceOf('phone')] },
      { name: 'price', ids: [4, 2, 1] },
    ],
  };
  const none = new Float32Array(rows.length);
  const counted = profileByHand(trained.bundle, bins, rows, { pctr: none, pcvr: none }).features;
  const features = bins.features.map((feature, index) => ({ ...feature, counts: counted[index]!.bins }));
  bundle = { ...trained.bundle, reference: { ...bins, features } as unknown as ModelReference };
  pools = { one: scoringPool(bundle, 1), three: scoringPool(bundle, 3) };
}, 60_000);
afterAll(() => Promise.all(Object.values(pools).map((pool) => pool.close())));

let count = 0;
/** Scores shards into one file. */
async function score(
  shards: readonly Uint8Array[],
  { pool = pools.one, of = bundle, countLabels = false, leaveOut = false } = {},
) {
  const base = join(folder, `case-${count++}`);
  mkdirSync(base);
  const spans = shards.map((bytes, index) => {
    const uri = join(base, `${index}.parquet`);
    writeFileSync(uri, bytes);
    return { uri };
  });
  const output = join(base, 'scores.arrow');
  const badRows: number[] = [];
  const scored = await scoreSpans(spans, output, of, pool, {
    metadata: () => new Map(),
    countLabels,
    ...(leaveOut ? { onBadCells: (cells) => badRows.push(...cells.map(({ row }) => row)) } : {}),
  });
  const finder = new WorstSpanFinder(of.layout, of.reference);
  finder.addAll(scored.spans);
  return { profile: scored.profile, worst: finder.found(), badRows, table: readTable(output) };
}

describe('the profile of scored rows', () => {
  it('is what a simple count over the columns finds, for every kind of feature, slices and labels', async () => {
    const { profile, table } = await score([funnelShard(rows, 400)], { countLabels: true });
    const [pctr, pcvr] = [floats(table, 'pctr'), floats(table, 'pcvr')];
    const expected = profileByHand(bundle, bins, rows, { pctr, pcvr });
    expect(profile).toEqual(expected);
    expect(partProfileSchema.parse(profile)).toEqual(profile);
    // Otherwise the equality would say little.
    const byName = new Map(profile.features.map((feature) => [feature.name, feature]));
    for (const name of ['user_id', 'item_id', 'tags', 'recent_item_ids']) {
      expect(byName.get(name)!.unseen, name).toBeGreaterThan(50);
    }
    for (const name of ['user_id', 'device', 'price', 'tags', 'recent_item_ids', 'age', 'log_price']) {
      expect(byName.get(name)!.missing, name).toBeGreaterThan(20);
    }
    for (const { slices } of profile.slices) {
      expect(Math.min(...slices.map((slice) => slice.rows))).toBeGreaterThan(20);
    }
    const { click, conversion } = profile.labels!;
    expect(click.rows).toBe(1_300);
    expect(conversion.rows).toBeLessThan(click.positives);
    expect(conversion.positives).toBeGreaterThan(50);
  });

  it('is the same however the rows stand in row groups and shards, and however many threads score them', async () => {
    const whole = (await score([funnelShard(rows, 5_000)], { countLabels: true })).profile;
    const cut = (...ends: number[]) =>
      ends.map((end, index) => rows.slice(ends[index - 1] ?? 0, end)).map((some) => funnelShard(some, 77));
    for (const shards of [[funnelShard(rows, 100)], cut(1, 513, 514, 1_300), cut(700, 700, 1_299, 1_300)]) {
      for (const pool of Object.values(pools)) {
        expect((await score(shards, { pool, countLabels: true })).profile).toEqual(whole);
      }
    }
  });

  it('of one row has one row: what fills the batch up to its shape is not counted', async () => {
    for (const row of [rows[0]!, rows[5]!]) {
      const { profile, table } = await score([funnelShard([row])]);
      const [pctr, pcvr] = [floats(table, 'pctr'), floats(table, 'pcvr')];
      const { labels: _, ...expected } = profileByHand(bundle, bins, [row], { pctr, pcvr });
      expect(profile).toEqual(expected);
    }
  });

  it('of no rows has every count, at 0, and no labels', async () => {
    const { profile } = await score([funnelShard([])], { countLabels: true });
    expect(profile).toEqual(emptyProfile(bundle.layout, bins));
  });

  it('has neither bins nor slices without a reference, and the same counters', async () => {
    const shard = funnelShard(rows, 400);
    const { profile } = await score([shard]);
    const of = { ...bundle, reference: undefined };
    const pool = scoringPool(of, 1);
    const without = (await score([shard], { pool, of })).profile;
    await pool.close();
    const features = profile.features.map((feature) => ({ ...feature, bins: [] }));
    expect(without).toEqual({ ...profile, features, slices: [] } satisfies PartProfile);
  });
});

describe('the worst shard of each feature', () => {
  /** Of the rows of each shard, by a simple count. */
  const byHand = (shards: readonly (readonly FunnelRow[])[]) =>
    bins.features.map(({ name }) => {
      const counted = shards.map((some, span) => {
        const encoded = some.map((row) => encodedByHand(bundle, name, row));
        const sum = (key: 'values' | 'missing' | 'unseen') =>
          encoded.reduce((total, row) => total + row[key], 0);
        return {
          span,
          rows: some.length,
          values: sum('values'),
          missing: sum('missing'),
          unseen: sum('unseen'),
        };
      });
      const worst = (key: 'missing' | 'unseen', of: 'rows' | 'values') =>
        counted
          .filter((each) => each[key] > 0)
          .map((each) => ({ span: each.span, count: each[key], of: each[of] }))
          .sort((a, b) => leastShare(b) - leastShare(a) || a.span - b.span)[0] ?? null;
      const usual = bundle.reference!.features.find((feature) => feature.name === name)!.counts;
      const shifted = shards
        .map((some, span) => {
          const none = new Float32Array(some.length);
          const { features } = profileByHand(bundle, bins, some, { pctr: none, pcvr: none });
          return { span, bins: features.find((feature) => feature.name === name)!.bins };
        })
        .filter((each) => surelyShifted(each.bins, usual) >= LEAST_SHIFT);
      return {
        ...{ name, missing: worst('missing', 'rows'), unseen: worst('unseen', 'values') },
        shifted: mostShifted(shifted, usual),
      };
    });

  it('is what a count over its rows finds, in shards of several requests and requests of several shards', async () => {
    const spoiled = rows.slice(300, 330).map((row) => ({ ...row, age: null, item_id: 999_999n }));
    const same = rows.slice(600).map((row) => ({ ...row, age: 1 }));
    const shards = [rows.slice(0, 300), spoiled, rows.slice(330, 331), rows.slice(331, 600), same];
    const expected = byHand(shards);
    const byName = new Map(expected.map((each) => [each.name, each]));
    expect([byName.get('age')!.missing!.span, byName.get('item_id')!.unseen!.span]).toEqual([1, 1]);
    expect(expected.some(({ shifted }) => shifted.length > 0)).toBe(true);
    // So many that a request ends within the last shard.
    const long = [...shards.slice(0, 4), Array.from({ length: 14 }, () => rows).flat()];
    for (const pool of Object.values(pools)) {
      const files = shards.map((some) => funnelShard(some, 77));
      expect((await score(files, { pool })).worst).toEqual(expected);
      const longFiles = long.map((some) => funnelShard(some, 500));
      expect((await score(longFiles, { pool })).worst).toEqual(byHand(long));
    }
  });

  it('counts no row that is left out', async () => {
    const [good, bad] = [rows.slice(0, 200), rows.slice(200, 400)];
    const without = bad.filter((_, row) => row % 3 > 0);
    const keyless = bad.map((row, index) => (index % 3 === 0 ? { ...row, age: null, request: null } : row));
    const request = [
      { name: 'request', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const,
    ];
    const files = [good, keyless as FunnelRow[]].map((some) => funnelShard(some, 64, { request }));
    const { worst, badRows } = await score(files, { leaveOut: true });
    expect(badRows).toHaveLength(67);
    expect(worst).toEqual(byHand([good, without]));
  });
});

it('rows that a model was validated on have the profile that its reference says', async () => {
  const base = join(folder, 'validated');
  const { bundle: model, dataUri } = await trainTinyModel(base, {
    config: { slices: ['device', 'price', 'user_id'] },
  });
  const reference = model.reference!;
  const pool = scoringPool(model, 1);
  const shard = readFileSync(join(dataUri, `dt=${TINY_DATES[2]}`, 'part-0.parquet'));
  const { profile } = await score([shard], { pool, of: model, countLabels: true });
  await pool.close();
  expect(profile.rows).toBe(reference.rows);
  expect(profile.features).toEqual(
    reference.features.map(({ name, values, missing, unseen, counts }) => {
      return { name, values, missing, unseen, bins: counts };
    }),
  );
  const means = profile.slices.map(({ name, slices }) => ({
    name,
    slices: slices.map((slice) => {
      const mean = (units: number) => (slice.rows === 0 ? null : (units * SCORE_UNIT) / slice.rows);
      return { rows: slice.rows, pctr: mean(slice.pctr), pcvr: mean(slice.pcvr) };
    }),
  }));
  expect(means.map(({ name, slices }) => [name, slices.map(({ rows: count }) => count)])).toEqual(
    reference.slices.map(({ name, slices }) => [name, slices.map(({ rows: count }) => count)]),
  );
  for (const [index, { slices }] of reference.slices.entries()) {
    for (const [at, { pctr, pcvr }] of slices.entries()) {
      const found = means[index]!.slices[at]!;
      // The trainer's forward pass and the exported model differ in the last digits.
      if (pctr !== null) expect(found.pctr).toBeCloseTo(pctr, 5);
      if (pcvr !== null) expect(found.pcvr).toBeCloseTo(pcvr, 5);
    }
  }
  const { click, conversion } = profile.labels!;
  expect(click.positives / click.rows).toBeCloseTo(reference.rates!.click, 12);
  expect(conversion.positives / conversion.rows).toBeCloseTo(reference.rates!.conversion, 12);
});

describe('labels', () => {
  const shard = funnelShard(rows, 400);

  it('are counted only when asked for, and never in the output', async () => {
    const [with_, without] = [await score([shard], { countLabels: true }), await score([shard])];
    expect(with_.profile.labels).toBeDefined();
    expect(without.profile).not.toHaveProperty('labels');
    const { labels: _, ...rest } = with_.profile;
    expect(rest).toEqual(without.profile);
    for (const { table } of [with_, without]) {
      expect(table.schema.names).toEqual(['impression_id', 'request', 'pctr', 'pcvr', 'pctcvr']);
    }
  });

  it('of shards that lack one of the columns, or have text in it, are left out, and the rows are scored', async () => {
    const of = (labels: ModelBundle['manifest']['labels']) => ({
      ...bundle,
      manifest: { ...bundle.manifest, labels },
    });
    for (const labels of [
      { click: 'click', conversion: 'bought' },
      { click: 'device', conversion: 'conversion' },
      { click: 'tags', conversion: 'conversion' },
    ]) {
      const model = of(labels);
      const pool = scoringPool(model, 1);
      const { profile, table } = await score([shard], { pool, of: model, countLabels: true });
      await pool.close();
      expect(profile).toMatchObject({ rows: 1_300 });
      expect(profile).not.toHaveProperty('labels');
      expect(table.numRows).toBe(1_300);
    }
  });
});
