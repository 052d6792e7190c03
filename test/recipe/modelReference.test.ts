import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPredictions } from '../../lib/arrow/readPredictions.ts';
import type { FeatureReference, ModelReference } from '../../lib/profile/modelReference.ts';
import { lowestScoreOf, SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import type { TrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { valuesOfFeature } from '../features/fittedVocabularies.ts';
import { type FunnelRow, funnelRows, funnelShard, TINY_DATES } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, tinyConfig, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const SLICES = { slices: ['hour', 'device'] };
let tiny: TinyModel;
let reference: ModelReference;
const days = TINY_DATES.map((date) => funnelRows(date, 1500));
const validation = days[2]!;

beforeAll(async () => {
  tiny = await trainTinyModel(folder, { config: SLICES });
  reference = tiny.bundle.reference!;
});

const featureOf = (name: string) => reference.features.find((feature) => feature.name === name)!;

/** Local ids of a vocabulary's values as text, from 1. */
function idsOf(values: readonly string[]): (value: unknown) => number {
  const ids = new Map(values.map((value, index) => [value, index + 1]));
  return (value) => ids.get(String(value)) ?? 0;
}

/** Bin by bin, by the definition in featureBins.ts. */
function countsBy({ bins }: FeatureReference, values: readonly number[]): number[] {
  const ends = [Number.NEGATIVE_INFINITY, ...bins.ends, Number.POSITIVE_INFINITY];
  return ends.slice(1).map((end, bin) => values.filter((value) => value > ends[bin]! && value <= end).length);
}

describe('the reference of a training', () => {
  it('counts the raw validation rows, feature by feature', () => {
    const { contract } = tiny.bundle;
    const vocabulary = (column: string) => {
      const feature = contract.features.find((each) => each.column === column)!;
      return idsOf(valuesOfFeature(tiny.bundle, feature)!);
    };
    const expectCounts = (name: string, known: readonly number[], values: number, missing: number) => {
      const found = featureOf(name);
      const unseen =
        name === 'tags' || name === 'recent_item_ids'
          ? values - known.length
          : values - missing - known.length;
      expect(found, name).toMatchObject({ values, missing, unseen, counts: countsBy(found, known) });
    };
    const user = vocabulary('user_id');
    const users = validation.map(({ user_id }) => user_id);
    expectCounts(
      'user_id',
      users.map(user).filter((id) => id > 0),
      1500,
      users.filter((value) => value === null).length,
    );
    const hour = vocabulary('hour');
    expectCounts(
      'hour',
      validation.map((row) => hour(row.hour)).filter((id) => id > 0),
      1500,
      0,
    );
    const tag = vocabulary('tags');
    const tags = validation.map((row) => (row.tags ?? []).filter((each) => each !== null).slice(0, 4));
    expectCounts(
      'tags',
      tags
        .flat()
        .map(tag)
        .filter((id) => id > 0),
      tags.flat().length,
      tags.filter(({ length }) => length === 0).length,
    );
    const age = contract.features.find((each) => each.column === 'age')!;
    if (age.kind !== 'numeric') throw new Error('age is a number');
    const { mean, standardDeviation } = age.fitted!;
    const ages = validation.map((row) => row.age);
    expectCounts(
      'age',
      ages.flatMap((value) => (value === null ? [] : [Math.fround((value - mean) / standardDeviation)])),
      1500,
      ages.filter((value) => value === null).length,
    );
    const price = contract.features.find((each) => each.kind === 'bucketed')!;
    const boundaries = price.fitted!.boundaries;
    const prices = validation.flatMap((row) => (row.price === null ? [] : [Math.fround(row.price)]));
    const buckets = prices.map((value) => 1 + boundaries.filter((end) => Math.fround(end) < value).length);
    expectCounts('price', buckets, 1500, 1500 - prices.length);
  });

  it('has bins that hold about equal shares of training rows', () => {
    const { counts } = featureOf('user_id');
    expect(counts).toHaveLength(12);
    for (const count of counts) expect(count).toBeGreaterThan(1500 / 12 / 2);
  });

  it('has the days of training and validation, and what of their rows is missing most', () => {
    expect(reference.days).toEqual(TINY_DATES.map((day) => ({ day, rows: 1500 })));
    const missing = (rows: readonly FunnelRow[]) =>
      rows.filter(({ age }) => age === null).length / rows.length;
    const together = missing(days.flat());
    const largest = Math.max(...days.map((rows) => Math.abs(missing(rows) - together)));
    expect(featureOf('age').spread.missing).toBeCloseTo(largest, 12);
    expect(featureOf('age').spread.psi).toBeGreaterThan(0);
  });

  it('has the scores that the scoring job gives the validation rows', async () => {
    const shard = join(tiny.dataUri, `dt=${TINY_DATES[2]}`, 'part-0.parquet');
    const output = join(folder, 'scores.arrow');
    await scoreInput(shard, output, tiny.bundle, { workers: 1 });
    const file = await localDisk.open(output);
    const { rows } = await readPredictions(file, 1500);
    await file.close();
    expect(rows).toHaveLength(1500);
    for (const name of ['pctr', 'pcvr', 'pctcvr'] as const) {
      const found = rows.map((row) => row[name] as number);
      const { mean, counts } = reference.scores[name];
      expect(mean).toBeCloseTo(found.reduce((sum, score) => sum + score, 0) / 1500, 6);
      // Both compute in float32, in batches of other sizes: a score at the edge of a bin may fall on either side.
      const expected = Array.from({ length: SCORE_BINS }, (_, bin) => {
        const end = bin === SCORE_BINS - 1 ? Number.POSITIVE_INFINITY : lowestScoreOf(bin + 1);
        return found.filter((score) => score >= lowestScoreOf(bin) && score < end).length;
      });
      const moved = counts.reduce((sum, count, bin) => sum + Math.abs(count - expected[bin]!), 0);
      expect(moved).toBeLessThanOrEqual(4);
    }
    const meanOf = (isIn: (row: FunnelRow) => boolean) => {
      const chosen = rows.filter((_, row) => isIn(validation[row]!));
      return chosen.reduce((sum, row) => sum + (row.pctr as number), 0) / chosen.length;
    };
    const [hours, devices] = reference.slices;
    expect(hours!.slices[0]!.pctr).toBeCloseTo(
      meanOf((row) => String(row.hour) === hours!.values[0]),
      6,
    );
    expect(devices).toMatchObject({ name: 'device', values: [], ids: { length: 3 } });
    expect(devices!.slices.at(-1)!.pctr).toBeCloseTo(
      meanOf(({ device }) => device === null || device === '-1'),
      6,
    );
  });

  it('has the rates of the labels and no repeated key', () => {
    const clicked = validation.filter(({ click }) => click === 1);
    expect(reference.rates!.click).toBe(clicked.length / 1500);
    expect(reference.rates!.conversion).toBeCloseTo(
      clicked.filter(({ conversion }) => conversion === 1).length / clicked.length,
      12,
    );
    expect(reference.repeatedKeys).toBe(0);
  });
});

/** Writes days as shards of given rows, by the names of the files. */
function written(name: string, shards: Readonly<Record<string, readonly FunnelRow[]>>): string {
  const root = join(folder, name);
  for (const [file, rows] of Object.entries(shards)) {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), funnelShard(rows, 400));
  }
  return root;
}

async function referenceOf(
  name: string,
  dataUri: string,
  over: Partial<TrainingConfig> = {},
): Promise<ModelReference> {
  const config = { ...tinyConfig(SLICES), ...over };
  return (await trainModel(config, dataUri, join(folder, `${name}-bundle`))).bundle.reference!;
}

describe('the same data', () => {
  it('and seed give the same bytes', async () => {
    await referenceOf('again', tiny.dataUri);
    const bytes = (bundle: string) => readFileSync(join(bundle, 'reference.json'));
    expect(bytes(join(folder, 'again-bundle')).equals(bytes(tiny.bundleUri))).toBe(true);
  });

  it('in other shards, and days that lie between each other, give the same features', async () => {
    const halves = days.flatMap((rows, index) => [
      [`b/dt=${TINY_DATES[index]}/x.parquet`, rows.slice(0, 700)] as const,
      [`a/dt=${TINY_DATES[index]}/y.parquet`, rows.slice(700)] as const,
    ]);
    const {
      features,
      days: found,
      rates,
    } = await referenceOf('halves', written('halves', Object.fromEntries(halves)));
    // A standardised number depends on the order of the rows in its last digits.
    const ids = ({ features: each }: Pick<ModelReference, 'features'>) =>
      each.filter(({ bins }) => bins.kind === 'ids');
    expect(ids({ features })).toEqual(ids(reference));
    expect(features.map(({ spread: { missing, unseen } }) => [missing, unseen])).toEqual(
      reference.features.map(({ spread: { missing, unseen } }) => [missing, unseen]),
    );
    expect([found, rates]).toEqual([reference.days, reference.rates]);
  });
});

it('days that are alike in nothing but their size are far apart, and repeated keys of one day are found', async () => {
  const changed = days.map((rows, day) => rows.map((row) => ({ ...row, hour: day })));
  const twice = changed[1]!.map((row, index) =>
    index < 300 ? { ...row, ...keyOf(changed[1]![index + 300]!) } : row,
  );
  const shards = { [TINY_DATES[0]]: changed[0]!, [TINY_DATES[1]]: twice, [TINY_DATES[2]]: changed[2]! };
  const named = Object.entries(shards).map(([date, rows]) => [`dt=${date}/part-0.parquet`, rows]);
  const found = await referenceOf('constant', written('constant', Object.fromEntries(named)));
  const hour = found.features.find(({ name }) => name === 'hour')!;
  // Validation's own hour was never trained on.
  expect(hour).toMatchObject({ unseen: 1500, counts: [0, 0] });
  expect(hour.spread.psi).toBeGreaterThan(1);
  expect(hour.spread.unseen).toBeCloseTo(2 / 3, 12);
  expect(found.repeatedKeys).toBe(300 / 1500);
});

function keyOf({ impression_id, request }: FunnelRow): Pick<FunnelRow, 'impression_id' | 'request'> {
  return { impression_id, request };
}

it('a split by share of the rows has no days, and no spread', async () => {
  const found = await referenceOf('fraction', tiny.dataUri, {
    split: { by: 'fraction', validation: 0.3 },
  });
  expect(found).toMatchObject({ rows: 1350, days: [] });
  for (const { spread } of found.features) expect(spread).toEqual({ missing: 0, unseen: 0, psi: 0 });
  for (const score of Object.values(found.scores)) expect(score).toMatchObject({ meanRatio: 1, psi: 0 });
});
