import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { TASKS } from '../../lib/base/tasks.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { labelledSample, rowsToMeasure, SampleScorer } from '../../lib/report/labelledSample.ts';
import { type ModelMeasures, measureModel } from '../../lib/report/measureModel.ts';
import { modelReport } from '../../lib/report/modelReport.ts';
import { evaluateInput } from '../../lib/scoring/evaluateInput.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import type { TinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { textOf } from './readPage.ts';
import { trainReportedModel } from './reportScene.ts';

const folder = temporaryFolder();

let trained: TinyModel;
let bundle: ModelBundle;
let data: string;
let measures: ModelMeasures;

beforeAll(async () => {
  trained = await trainReportedModel();
  bundle = trained.bundle;
  data = `${trained.dataUri}/dt=2024-03-03`;
  measures = await measureModel(bundle, data, { rows: 10_000 });
}, 200_000);

describe('a model on labelled rows', () => {
  it('has the metrics that evaluate gives of the same rows', async () => {
    const { click, conversion } = await evaluateInput(data, bundle, 1);
    expect(measures.sampleRows).toBe(1500);
    for (const [found, expected] of [
      [measures.metrics.click, click],
      [measures.metrics.conversion, conversion],
    ] as const) {
      expect(found.rows).toBe(expected.rows);
      expect(found.auc).toBeCloseTo(expected.auc!, 12);
      expect(found.logLoss).toBeCloseTo(expected.logLoss!, 9);
    }
  });

  it('loses most click AUC by what clicks depend on, and none by what it looks at in no row', async () => {
    const loss = new Map(measures.importance.map(({ feature, loss: of }) => [feature, of.click!]));
    expect([...loss.keys()].toSorted()).toEqual(
      [...bundle.layout.singles, ...bundle.layout.lists, ...bundle.layout.numerics]
        .map(({ name }) => name)
        .toSorted(),
    );
    // Clicks of the funnel depend on user, item and hour.
    const known = ['user_id', 'item_id', 'hour'].map((name) => loss.get(name)!.mean);
    expect(Math.max(...known)).toBe(Math.max(...[...loss.values()].map(({ mean }) => mean)));
    expect(Math.max(...known)).toBeGreaterThan(0.01);
    for (const { mean, low, high } of loss.values()) {
      expect(low).toBeLessThanOrEqual(mean);
      expect(high).toBeGreaterThanOrEqual(mean);
    }
  });

  it('is put into groups by rising score, whose rows, scores and positives add up to those of all', () => {
    for (const task of TASKS) {
      const bins = measures.reliability[task];
      const { rows, calibration } = measures.metrics[task];
      expect(bins).toHaveLength(15);
      expect(bins.reduce((sum, bin) => sum + bin.rows, 0)).toBe(rows);
      const predicted = bins.reduce((sum, bin) => sum + bin.rows * bin.predicted, 0);
      const observed = bins.reduce((sum, bin) => sum + bin.rows * bin.observed, 0);
      expect(predicted / observed).toBeCloseTo(calibration!, 6);
      const scores = bins.map((bin) => bin.predicted);
      expect(scores).toEqual(scores.toSorted((a, b) => a - b));
    }
  });

  it('is measured by the values of the slices that the config names, every row in one of them', () => {
    expect(measures.slices.map(({ feature }) => feature)).toEqual(['hour']);
    const [{ slices }] = measures.slices as [ModelMeasures['slices'][number]];
    expect(slices.reduce((sum, { metrics }) => sum + metrics.rows, 0)).toBe(1500);
    expect(slices.length).toBeGreaterThan(5);
  });
});

describe("a training's own report", () => {
  it('measures the validation rows, and says that the checkpoint was chosen on them', async () => {
    const source = rowsToMeasure(trained.split);
    const own = await measureModel(bundle, source, { rows: 10_000 });
    // The same day, named by its folder.
    expect([own.sampleRows, own.metrics, own.importance]).toEqual([
      measures.sampleRows,
      measures.metrics,
      measures.importance,
    ]);
    expect(own.isChosenOn).toBe(true);
    const { uri, manifest, reference } = bundle;
    const pageOf = (of: ModelMeasures) => textOf(modelReport({ uri, manifest, reference, measures: of }));
    expect(pageOf(own)).toContain(`dt=2024-03-03 to dt=2024-03-03 of ${trained.dataUri}`);
    expect(pageOf(own)).toContain('The checkpoint was chosen on these rows');
    expect(pageOf(measures)).not.toContain('The checkpoint was chosen on these rows');
  });

  it('is sliced by features of few values where the bundle has no slices, and buckets are named by their bounds', async () => {
    const reference = bundle.reference && { ...bundle.reference, slices: [] };
    const { slices } = await measureModel({ ...bundle, reference }, data, { rows: 10_000 });
    const valuesOf = (name: string) =>
      slices.find(({ feature }) => feature === name)!.slices.map(({ value }) => value);
    const bounds = valuesOf('price');
    expect(bounds[0]).toMatch(/^up to [\d.]+$/);
    expect(bounds[1]).toBe(`above ${bounds[0]!.slice(6)} up to ${/[\d.]+$/.exec(bounds[1]!)![0]}`);
  });

  it('measures the report rows where the split has some, and nothing of the others', async () => {
    const [shard] = trained.split.validation;
    const report = [{ ...shard!, rowStart: 300, rowEnd: 1000 }];
    const source = rowsToMeasure({ ...trained.split, report, reportText: 'some rows' });
    expect([source.name, source.isChosenOn]).toEqual([`some rows of ${trained.dataUri}`, false]);
    const [some, all] = await Promise.all([
      labelledSample(bundle, source, 1500),
      labelledSample(bundle, data, 1500),
    ]);
    expect([some.rowCount, some.dataRows]).toEqual([700, 700]);
    expect(some.click).toEqual(all.click.slice(300, 1000));
    expect(some.conversion).toEqual(all.conversion.slice(300, 1000));
  });

  it('takes the conversions of young clicks for unknown, as the training did', async () => {
    const labels = { ...bundle.manifest.labels!, matureAfter: '2d' };
    const waiting = { ...bundle, manifest: { ...bundle.manifest, labels } };
    const source = rowsToMeasure(trained.split);
    const [young, old] = await Promise.all(
      ['2024-03-04', '2024-03-05'].map((newestDay) =>
        labelledSample(waiting, { ...source, newestDay }, 1500),
      ),
    );
    const unknown = ({ conversion }: NonNullable<typeof young>) => conversion.filter(Number.isNaN).length;
    const clicks = young!.click.filter((click) => click === 1).length;
    expect([unknown(young!), unknown(old!)]).toEqual([clicks, 0]);
  });
});

describe('a model on days that it was trained on, and on others', () => {
  const pageOf = (of: ModelMeasures) => {
    const { uri, manifest, reference } = bundle;
    return textOf(modelReport({ uri, manifest, reference, measures: of }));
  };

  it('has the metrics of each apart, and the page says which is which', async () => {
    const all = join(folder, 'days');
    cpSync(trained.dataUri, all, { recursive: true });
    mkdirSync(join(all, 'dt=2024-03-09'));
    writeFileSync(join(all, 'dt=2024-03-09', 'a.parquet'), funnelShard(funnelRows('2024-03-09', 300), 100));
    const { sides, metrics } = await measureModel(bundle, all, { rows: 10_000 });
    expect(sides!.map(({ side, days, metrics: { rows } }) => [side, days, rows])).toEqual([
      ['training', '2024-03-01 to 2024-03-02', 3000],
      ['validation', '2024-03-03', 1500],
      ['other', null, 300],
    ]);
    expect(sides![1]!.metrics).toEqual(measures.metrics);
    expect(metrics.rows).toBe(4800);
    const other = await measureModel(bundle, join(all, 'dt=2024-03-09'), { rows: 10_000 });
    expect(other.sides).toEqual([{ side: 'other', days: null, metrics: other.metrics }]);
    expect(sides![2]!.metrics).toEqual(other.metrics);
    const page = pageOf({ ...measures, sides });
    expect(page).toContain('rows of the training days, 2024-03-01 to 2024-03-02: it was trained on them');
    expect(page).toContain('rows of the validation days, 2024-03-03: its checkpoint was chosen on them');
    expect(page).toContain('rows of other days: neither trained nor chosen on');
    expect(page).toContain('the days stand apart here');
    expect(page).not.toContain('Metrics on the labelled rows');
    expect(pageOf(other)).toContain('Their days are none that it was trained or chosen on');
  });

  it('has them together where no folder tells the days, or the split is by rows', async () => {
    const flat = join(folder, 'flat.parquet');
    writeFileSync(flat, funnelShard(funnelRows('2024-03-01', 300), 100));
    expect((await measureModel(bundle, flat, { rows: 300 })).sides).toBeNull();
    const { training } = bundle.manifest;
    const config = { ...training.config, split: { by: 'fraction', validation: 0.2 } };
    const byRows = { ...bundle, manifest: { ...bundle.manifest, training: { ...training, config } } };
    const { sides } = (await labelledSample(byRows, data, 100)).from;
    expect(sides).toBeUndefined();
    expect(pageOf({ ...measures, sides: null })).toContain('Rows that it was trained on make it look better');
  });
});

describe('a sample of labelled rows', () => {
  it('has rows at equal distances over all shards: its scores are those of every third row', async () => {
    const [some, all] = await Promise.all([
      labelledSample(bundle, data, 500),
      labelledSample(bundle, data, 1500),
    ]);
    expect([some.rowCount, some.dataRows]).toEqual([500, 1500]);
    const everyThird = (values: ArrayLike<number>) =>
      Array.from({ length: 500 }, (_, row) => values[3 * row]);
    expect([...some.click]).toEqual(everyThird(all.click));
    const scoresOf = async (sample: typeof some) => {
      const scorer = await SampleScorer.create(bundle, sample);
      const scores = await scorer.score();
      await scorer.release();
      return scores;
    };
    const [few, many] = [await scoresOf(some), await scoresOf(all)];
    expect([...few.pctr]).toEqual(everyThird(many.pctr));
    expect([...few.pcvr]).toEqual(everyThird(many.pcvr));
  });
});
