import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { BinaryReport } from '../../lib/metrics/funnelMetrics.ts';
import { evaluateInput } from '../../lib/scoring/evaluateInput.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { aucByPairs, gaucByPairs } from '../metrics/definitions.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { floats, readTable } from './readScores.ts';

const folder = temporaryFolder();
let model: TinyModel;

beforeAll(async () => {
  model = await trainTinyModel(join(folder, 'model'));
});

function write(path: string, bytes: Uint8Array): string {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, bytes);
  return target;
}

interface Judged {
  readonly score: number;
  readonly label: number;
  readonly user: bigint | null;
}

/** The definitions, in double precision; 15 bins of equal width for ECE. */
function byDefinition(rows: readonly Judged[]): BinaryReport {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const bins = Array.from({ length: 15 }, (_, bin) =>
    rows.filter(({ score }) => Math.min(14, Math.floor(15 * score)) === bin),
  );
  return {
    rows: rows.length,
    auc: aucByPairs(rows),
    gauc: gaucByPairs(rows.filter(({ user }) => user !== null)),
    logLoss:
      -sum(rows.map(({ score, label }) => label * Math.log(score) + (1 - label) * Math.log(1 - score))) /
      rows.length,
    calibration: sum(rows.map(({ score }) => score)) / sum(rows.map(({ label }) => label)),
    ece: sum(bins.map((bin) => Math.abs(sum(bin.map(({ score, label }) => score - label))))) / rows.length,
  };
}

test('equals the definitions on the scored files: click on all rows, conversion on clicked ones', async () => {
  const input = join(model.dataUri, 'dt=2024-03-03');
  await scoreInput(input, join(folder, 'scores'), model.bundle, { workers: 2 });
  const table = readTable(join(folder, 'scores/part-0.arrow'));
  const [pctr, pcvr, pctcvr] = ['pctr', 'pcvr', 'pctcvr'].map((name) => floats(table, name)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const rows = funnelRows('2024-03-03', 1500);
  const clicked = rows.flatMap((row, index) => (row.click === 1 ? [index] : []));
  const judged = (indexes: Iterable<number>, scores: Float32Array, label: (row: FunnelRow) => number) =>
    Array.from(indexes, (index) => {
      const row = rows[index]!;
      return { score: scores[index]!, label: label(row), user: row.user_id };
    });
  const expected = {
    rows: 1500,
    click: byDefinition(judged(rows.keys(), pctr, ({ click }) => click)),
    conversion: byDefinition(judged(clicked, pcvr, ({ conversion }) => conversion!)),
    ctcvr: byDefinition(judged(rows.keys(), pctcvr, ({ conversion }) => conversion ?? 0)),
  };

  const report = await evaluateInput(input, model.bundle, 2);
  expect(Object.keys(report)).toEqual(['rows', 'click', 'conversion', 'ctcvr']);
  expect(report.rows).toBe(1500);
  for (const task of ['click', 'conversion', 'ctcvr'] as const) {
    expect(Object.keys(report[task])).toEqual(['rows', 'auc', 'gauc', 'logLoss', 'calibration', 'ece']);
    for (const [name, value] of Object.entries(expected[task])) {
      expect(value, `${task} ${name}`).not.toBeNull();
      // 1e-9: sums of 1,500 doubles in another order.
      expect(report[task][name as keyof BinaryReport], `${task} ${name}`).toBeCloseTo(value as number, 9);
    }
  }
});

test('is the same over shards and row groups as over one file, with any number of workers', async () => {
  const rows = funnelRows('2024-03-04', 500);
  write('cut/a.parquet', funnelShard(rows.slice(0, 123), 50));
  write('cut/b.parquet', funnelShard([], 50));
  write('cut/c.parquet', funnelShard(rows.slice(123), 50));
  const whole = await evaluateInput(write('whole.parquet', funnelShard(rows, 1000)), model.bundle, 1);
  const parts = await evaluateInput(join(folder, 'cut'), model.bundle, 3);
  expect(parts.rows).toBe(500);
  for (const task of ['click', 'conversion', 'ctcvr'] as const) {
    for (const [name, value] of Object.entries(whole[task])) {
      expect(parts[task][name as keyof BinaryReport]).toBeCloseTo(value as number, 9);
    }
  }
});

test('past the limit exchanges kept rows for bins as they stream in, and says how far off that can be', async () => {
  const { rows, ...exact } = await evaluateInput(join(folder, 'cut'), model.bundle, 2);
  const found = await evaluateInput(join(folder, 'cut'), model.bundle, 2, 300);
  expect(found.rows).toBe(rows);
  for (const label of ['click', 'ctcvr'] as const) {
    const { auc, gauc: _, ...sums } = exact[label];
    expect(found[label]).toEqual({
      ...sums,
      auc: expect.closeTo(auc!, 3),
      aucError: expect.any(Number),
      gauc: null,
      gaucRefusal: expect.stringContaining('up to 300 rows'),
    });
    expect(Math.abs(found[label].auc! - auc!)).toBeLessThanOrEqual(found[label].aucError! + 1e-12);
    expect(found[label].aucError).toBeLessThan(0.01);
  }
  // Fewer than 300 of the 500 rows are clicked.
  expect(found.conversion).toEqual(exact.conversion);
});

test('measures without users when the model was trained without them', async () => {
  const { manifest } = model.bundle;
  const { user: _, ...labels } = manifest.labels!;
  const bundle = { ...model.bundle, manifest: { ...manifest, labels } };
  const report = await evaluateInput(join(model.dataUri, 'dt=2024-03-03'), bundle, 1);
  expect(report.click.gauc).toBeNull();
  expect(report.click.auc).not.toBeNull();
});

test('a shard without rows has no metrics, and JSON says null', async () => {
  const report = await evaluateInput(write('none.parquet', funnelShard([], 50)), model.bundle, 1);
  expect(report.rows).toBe(0);
  expect(JSON.parse(JSON.stringify(report)).click).toEqual({
    rows: 0,
    auc: null,
    gauc: null,
    logLoss: null,
    calibration: null,
    ece: null,
  });
});

test('an unknown conversion counts for clicks alone', async () => {
  const rows = funnelRows('2024-03-04', 300);
  const isUnknown = (row: number) => rows[row]!.click === 1 && row % 4 === 0;
  const known = rows.filter((_, row) => !isUnknown(row));
  const evaluate = (name: string, of: readonly (typeof rows)[number][]) =>
    evaluateInput(write(name, funnelShard(of, 50)), model.bundle, 1);
  const whole = await evaluate('whole.parquet', rows);
  const found = await evaluate(
    'partly.parquet',
    rows.map((row, index) => (isUnknown(index) ? { ...row, conversion: null } : row)),
  );
  const { conversion, ctcvr } = await evaluate('known.parquet', known);
  expect(known.length).toBeLessThan(290);
  expect(found).toEqual({ rows: 300, click: whole.click, conversion, ctcvr });
});

test('an impossible label, and any broken shard, end the evaluation: no metric of a part', async () => {
  const rows = funnelRows('2024-03-04', 60);
  const evaluate = (name: string) => evaluateInput(join(folder, name), model.bundle, 2);

  write(
    'label/a.parquet',
    funnelShard(
      rows.map((row, index) => (index === 50 ? { ...row, click: 2 } : row)),
      20,
    ),
  );
  await expect(evaluate('label')).rejects.toMatchObject({
    code: 'SHARD_LABEL_INVALID',
    location: { file: join(folder, 'label/a.parquet'), rowGroup: 2, column: 'click' },
    message: expect.stringContaining('row 50 of the shard has no usable label'),
  });

  write('broken/a.parquet', funnelShard(rows, 20));
  const whole = readFileSync(join(folder, 'broken/a.parquet'));
  write('broken/b.parquet', whole.subarray(0, 900));
  await expect(evaluate('broken')).rejects.toMatchObject({ code: 'SHARD_TRUNCATED' });
});
