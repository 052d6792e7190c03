import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { labelMaturity } from '../../lib/recipe/labelMaturity.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { type FunnelRow, funnelRows, funnelShard, TINY_DATES } from '../fixtures/tinyFunnel.ts';
import { type ConfigDocument, TINY_CONFIG, tinyConfig } from '../fixtures/tinyModel.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let names = 0;
const newFolder = (kind: string) => join(folder, `${kind}-${names++}`);
const ROWS = 400;

/** The tiny funnel with every row changed. */
function funnel(
  change: (row: FunnelRow, index: number, date: string) => FunnelRow,
  dates: readonly string[] = TINY_DATES,
): string {
  const root = newFolder('data');
  for (const date of dates) {
    mkdirSync(join(root, `dt=${date}`), { recursive: true });
    writeFileSync(
      join(root, `dt=${date}`, 'part-0.parquet'),
      funnelShard(funnelRows(date, ROWS).map((row, index) => change(row, index, date))),
    );
  }
  return root;
}

async function train(config: ConfigDocument, data: string) {
  const output = newFolder('bundle');
  const notes: string[] = [];
  const stages: string[] = [];
  const options = {
    onNote: (text: string) => notes.push(text),
    onStage: (stage: string) => stages.push(stage),
  };
  try {
    const { bundle } = await trainModel(tinyConfig(config), data, output, options);
    return { record: bundle.manifest.training, notes };
  } catch (error) {
    expect(stages).not.toContain('training');
    expect(existsSync(join(output, 'bundle.json'))).toBe(false);
    throw error;
  }
}

describe('a feature that tells a label alone', () => {
  const { features } = TINY_CONFIG.contract as { features: object[] };
  const lookup = { type: 'string', vocabulary: {} };

  it.each([
    ['clicks', 'a number that is missing without a click', { age: 30 }, { age: null }, 'age', 'clicks'],
    ['clicks', 'a value of a list', { tags: ['music'] }, { tags: ['sport', 'news'] }, 'tags', 'clicks'],
    ['clicks', 'an id', { device: 'phone' }, { device: 'tv' }, 'device', 'clicks'],
  ] as const)('(%s) is refused before the training: %s', async (_task, _title, yes, no, feature, labels) => {
    const data = funnel((row) => ({ ...row, ...(row.click === 1 ? yes : no) }) as FunnelRow);
    await expect(train({}, data)).rejects.toMatchObject({
      code: 'TRAINING_LEAK',
      location: { file: data },
      problems: [
        `feature '${feature}' alone tells ${labels} with an AUC of 1.0000 on validation rows, bound 0.9`,
      ],
      expected: expect.stringContaining('allowLeak') as string,
    });
    const { record } = await train({ allowLeak: [feature] }, data);
    expect(record.leaks).toMatchObject({ bound: 0.9, allowed: [feature] });
    expect(record.leaks!.alone.find((each) => each.feature === feature)!.aucs.click).toBe(1);
  });

  it('of conversions is refused too, each feature of several by name, and a soft label counts as one', async () => {
    const told = funnel((row) => ({ ...row, price: row.conversion === 1 ? 2 : 1 }));
    await expect(train({}, told)).rejects.toMatchObject({
      problems: [
        expect.stringMatching(/^feature 'price' alone tells conversions with an AUC of 1\.0000/) as string,
        expect.stringMatching(/^feature 'log_price' alone tells conversions/) as string,
      ],
    });
    await expect(train({ allowLeak: ['price'] }, told)).rejects.toMatchObject({
      problems: [expect.stringContaining("'log_price'") as string],
    });
    const soft = funnel((row, i) => ({
      ...row,
      age: row.click === 1 ? row.play_rate : ((i * 37) % 100) / 100,
    }));
    await expect(train({ labels: { conversion: 'play_rate' } }, soft)).rejects.toMatchObject({
      problems: [expect.stringMatching(/^feature 'age' alone tells conversions/) as string],
    });
  });

  it('is none of the features of the tiny funnel, and the record says what each reaches', async () => {
    const { record } = await train(
      {},
      funnel((row) => row),
    );
    const { alone, allowed } = record.leaks!;
    expect(allowed).toEqual([]);
    expect(alone).toHaveLength(features.length);
    for (const { feature, aucs } of alone) {
      expect(Math.max(aucs.click!, aucs.conversion!), feature).toBeLessThan(0.8);
    }
    expect(alone.find(({ feature }) => feature === 'item_id')!.aucs.click).toBeGreaterThan(0.6);
  });

  it('is a copy of the label under another name, of any kind of feature', async () => {
    const kinds = [
      { kind: 'numeric', column: 'hour', name: 'a' },
      { kind: 'bucketed', column: 'hour', name: 'b', buckets: 4 },
      { kind: 'categorical', column: 'hour', name: 'c', table: { ...lookup, type: 'int' } },
    ];
    const data = funnel((row) => ({ ...row, hour: row.click }));
    const { features: _, ...others } = TINY_CONFIG.contract as { features: object[] };
    const contract = { ...others, features: [features[0], features[1], ...kinds] };
    await expect(train({ contract }, data)).rejects.toMatchObject({
      problems: ['c', 'b', 'a'].map(
        (name) => expect.stringContaining(`'${name}' alone tells clicks with an AUC of 1.0000`) as string,
      ),
    });
  });
});

describe('labels.matureAfter', () => {
  const [first, second, third] = TINY_DATES;

  it('makes a day mature when the newest day is at least so many days later', () => {
    const labels = { click: 'click', conversion: 'conversion', matureAfter: '3d' };
    const isMature = labelMaturity(labels, '2024-03-01');
    const days = ['2024-02-26', '2024-02-27', '2024-02-28', '2024-03-01'];
    expect(days.map(isMature)).toEqual([true, true, false, false]);
    const { matureAfter: _, ...without } = labels;
    expect(labelMaturity(without, undefined)(undefined)).toBe(true);
  });

  it('leaves the conversions of younger days out, counts them, and measures their clicks', async () => {
    const clicks = (date: string) => funnelRows(date, ROWS).filter(({ click }) => click === 1).length;
    const split = { train: { from: first, to: first }, validation: { from: second, to: third } };
    const data = funnel((row) => row);
    const { record, notes } = await train({ split, labels: { matureAfter: '1d' } }, data);
    const { training, validation, newestDay } = record.labels!;
    expect(newestDay).toBe(third);
    expect(training).toMatchObject({ clicks: clicks(first), immatureConversions: 0 });
    expect(validation).toMatchObject({
      clicks: clicks(second) + clicks(third),
      immatureConversions: clicks(third),
      unknownConversions: 0,
    });
    const note = `of 800 validation rows ${clicks(third)} clicked but younger than 1d, which count for clicks only`;
    expect(notes).toEqual([note]);
    const { best } = record.metrics as {
      best: { metrics: Record<'click' | 'conversion', { rows: number }> };
    };
    expect(best.metrics.click.rows).toBe(2 * ROWS);
    expect(best.metrics.conversion.rows).toBe(clicks(second));
  });

  it('of a wait that no validation day has behind it is refused with the counts', async () => {
    await expect(
      train(
        { labels: { matureAfter: '1d' } },
        funnel((row) => row),
      ),
    ).rejects.toMatchObject({
      code: 'TRAINING_NO_POSITIVES',
      message: expect.stringContaining('the validation rows have no conversion') as string,
      found: '0 conversions in 0 clicked rows with a known label',
    });
  });

  it("isn't fooled by a folder of a day to come", async () => {
    const data = funnel((row) => row);
    cpSync(join(data, `dt=${first}`), join(data, 'dt=9999-12-31'), { recursive: true });
    const split = { train: { from: first, to: first }, validation: { from: second, to: second } };
    const { record } = await train({ split, labels: { matureAfter: '1d' } }, data);
    expect(record.labels).toMatchObject({ newestDay: third, training: { immatureConversions: 0 } });
    await expect(train({ split, labels: { matureAfter: '2d' } }, data)).rejects.toThrow(/validation rows/);
  });
});

it('conversions without a click are counted and noted, and change no bit', async () => {
  const train2 = async (change: (row: FunnelRow, index: number) => FunnelRow) => {
    const { bundle, notes } = await trainModel(tinyConfig(), funnel(change), newFolder('bundle'));
    return { bundle, notes };
  };
  const plain = await train2((row) => row);
  const odd = await train2((row, i) => (row.click === 0 && i < 50 ? { ...row, conversion: 1 } : row));
  const counts = TINY_DATES.map((date) => funnelRows(date, 50).filter(({ click }) => click === 0).length);
  const { training, validation } = odd.bundle.manifest.training.labels!;
  expect([training.conversionsWithoutClick, validation.conversionsWithoutClick]).toEqual([
    counts[0]! + counts[1]!,
    counts[2]!,
  ]);
  const note = (rows: number, side: string, count: number) =>
    `of ${rows} ${side} rows ${count} with a conversion but no click, whose conversion is ignored`;
  expect(odd.notes).toEqual([
    note(2 * ROWS, 'training', counts[0]! + counts[1]!),
    note(ROWS, 'validation', counts[2]!),
  ]);
  expect(odd.bundle.manifest.training.notes).toEqual(odd.notes);
  expect(plain.notes).toEqual([]);
  expect(Buffer.compare(plain.bundle.model.modelBytes, odd.bundle.model.modelBytes)).toBe(0);
});

describe.skipIf(!hasSharedData)('days that others have lost, made or half filled', () => {
  const trainNight = async (night: string) => {
    const root = join(sharedData, 'nights', 'train', night);
    const document: unknown = JSON.parse(readFileSync(join(root, 'config.json'), 'utf8'));
    const config = parseTrainingConfig(document, night);
    const { bundle } = await trainModel(config, join(root, 'data'), newFolder('bundle'));
    return bundle.manifest.training;
  };

  it('a day missing within the range is named in the record', async () => {
    const { trainSplit, notes } = await trainNight('gap');
    expect(trainSplit).toBe('dt=2024-03-01 to dt=2024-03-02 without 2024-03-02');
    expect(notes).toEqual(['there is no partition of 2024-03-02 for training']);
  });

  it('a null partition is passed over and named', async () => {
    const { notes, trainRows, validationRows } = await trainNight('null-dt');
    expect(notes).toEqual([
      expect.stringContaining('dt=__HIVE_DEFAULT_PARTITION__ is part of no range') as string,
    ]);
    expect(trainRows + validationRows).toBeGreaterThan(0);
  });

  it('clicked rows with an unknown conversion train clicks, and are counted', async () => {
    const { labels, metrics } = await trainNight('null-conv-clicked');
    expect(labels!.training.unknownConversions).toBeGreaterThan(0);
    const { best } = metrics as { best: { metrics: Record<'click' | 'conversion', { rows: number }> } };
    const { clicks, unknownConversions, rows } = labels!.validation;
    expect(best.metrics.click.rows).toBe(rows);
    expect(best.metrics.conversion.rows).toBe(clicks - unknownConversions);
  });
});
