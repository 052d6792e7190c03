import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { drawImpressions, type Impression } from '../../lib/synthesis/drawImpressions.ts';
import { CONFLICTS, parseFunnelOptions } from '../../lib/synthesis/funnelOptions.ts';
import { FunnelTeacher } from '../../lib/synthesis/funnelTeacher.ts';
import { synthesise } from '../../lib/synthesis/synthesise.ts';
import { callMain } from '../cli/callMain.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const small = { days: 3, rowsPerDay: 9000 };

function draw(options: object, count = 30_000, day = 0): Impression[] {
  const teacher = new FunnelTeacher(parseFunnelOptions(options));
  return [...drawImpressions(teacher, new RandomStream(99), 1, count, day)];
}

function correlation(rows: readonly Impression[]): number {
  const mean = (read: (row: Impression) => number) =>
    rows.reduce((sum, row) => sum + read(row), 0) / rows.length;
  const [x, y] = [mean((row) => row.clickLogit), mean((row) => row.conversionLogit)];
  const product = mean((row) => (row.clickLogit - x) * (row.conversionLogit - y));
  const variance = (read: (row: Impression) => number, centre: number) =>
    mean((row) => (read(row) - centre) ** 2);
  return (
    product / Math.sqrt(variance((row) => row.clickLogit, x) * variance((row) => row.conversionLogit, y))
  );
}

interface TaskTruth {
  readonly firstDirections: number[][];
  readonly secondDirections: number[][];
  readonly readOut: number[];
  readonly driftsTo: number[];
  readonly mean: number;
  readonly deviation: number;
  readonly bias: number;
}
interface TruthDocument {
  readonly teacher: {
    readonly unitFields: [number, number][];
    readonly latents: number[][][];
    readonly click: TaskTruth;
    readonly conversion: TaskTruth;
  };
}

describe('a synthetic funnel', () => {
  it.each([{ gain: 100 }, { selectionBias: 100 }])(
    'has the rates asked for with logits of hundreds: %o',
    (strong) => {
      const rows = draw({ ...strong, clickRate: 0.2, conversionRate: 0.1 });
      const clicked = rows.filter(({ click }) => click === 1);
      const converted = clicked.filter(({ potentialConversion }) => potentialConversion === 1);
      expect(clicked.length / rows.length).toBeCloseTo(0.2, 1);
      expect(converted.length / clicked.length).toBeCloseTo(0.1, 1);
    },
  );

  it('has no rate of conversions without a click, rather than one that is no number', async () => {
    const output = join(folder, 'clickless');
    const { stdout, exitCode } = await callMain(
      ...['synth', '--output', output, '--days', '3', '--rows-per-day', '2', '--click-rate', '0.000001'],
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain(' 0.0% clicked\n');
    expect(stdout).not.toContain('NaN');
  });

  it('has the rates asked for, a best click AUC near .87, and conversions of clicked rows only', async () => {
    const output = join(folder, 'rates');
    const realised = await synthesise(
      parseFunnelOptions({ ...small, clickRate: 0.3, conversionRate: 0.15 }),
      output,
    );
    expect(realised.rows).toBe(27_000);
    expect(realised.clickRate).toBeCloseTo(0.3, 1);
    expect(realised.conversionRate).toBeCloseTo(0.15, 1);
    expect(realised.bestClickAuc).toBeGreaterThan(0.84);
    expect(realised.bestClickAuc).toBeLessThan(0.9);
    // A foreign reader.
    const table = pl.readParquet(join(output, 'dt=2024-03-03', 'part-0.parquet'));
    expect(table.height).toBe(9000);
    const column = (name: string) => table.getColumn(name).toArray() as number[];
    const [click, conversion, potential] = [
      column('click'),
      column('conversion'),
      column('potential_conversion'),
    ];
    conversion.forEach((value, row) => {
      if (value !== click[row]! * potential[row]!) expect.fail(`row ${row}`);
    });
    expect(potential.filter((value, row) => value === 1 && click[row] === 0).length).toBeGreaterThan(500);
  });

  it('draws labels with the probabilities it states', () => {
    const rows = draw({ selectionBias: 0.5, gain: 1 });
    for (const [label, p] of [
      [(row: Impression) => row.click, (row: Impression) => row.truePctr],
      [(row: Impression) => row.potentialConversion, (row: Impression) => row.truePcvr],
    ] as const) {
      for (const [low, high] of [
        [0, 0.1],
        [0.1, 0.3],
        [0.3, 0.6],
        [0.6, 1],
      ] as const) {
        const bin = rows.filter((row) => p(row) >= low && p(row) < high);
        const expected = bin.reduce((sum, row) => sum + p(row), 0);
        const deviation = Math.sqrt(bin.reduce((sum, row) => sum + p(row) * (1 - p(row)), 0));
        const found = bin.reduce((sum, row) => sum + label(row), 0);
        expect(bin.length).toBeGreaterThan(30);
        expect(Math.abs(found - expected) / deviation, `${low} to ${high}`).toBeLessThan(4);
      }
    }
  });

  it('with both kinds of relatedness at 1 has one logit for both tasks, and less in common with less of either', () => {
    const at = (featureRelatedness: number, outputRelatedness: number) =>
      correlation(draw({ featureRelatedness, outputRelatedness }, 5000));
    expect(at(1, 1)).toBeCloseTo(1, 6);
    expect(at(1, -1)).toBeCloseTo(-1, 6);
    expect(at(1, 0.5)).toBeLessThan(0.95);
    expect(Math.abs(at(0, 1))).toBeLessThan(Math.abs(at(0.9, 1)));
    expect(CONFLICTS.low.featureRelatedness).toBeGreaterThan(CONFLICTS.high.featureRelatedness);
  });

  it('selects conversions by clicks when both have a hidden cause: clicked rows would convert more often', () => {
    const gap = (selectionBias: number) => {
      const rows = draw({ featureRelatedness: 0, outputRelatedness: 0, selectionBias });
      const rate = (click: number) => {
        const chosen = rows.filter((row) => row.click === click);
        return chosen.reduce((sum, row) => sum + row.potentialConversion, 0) / chosen.length;
      };
      return rate(1) - rate(0);
    };
    expect(gap(2)).toBeGreaterThan(gap(0) + 0.1);
  });

  it('leaves conversions alone in clickbait fields and turns with the days when it drifts', () => {
    const teacher = new FunnelTeacher(parseFunnelOptions({ clickbaitFields: 2, drift: 0.3 }));
    const one = Int32Array.from([1, 1, 5, 5, 5, 5, 5, 5]);
    const other = Int32Array.from([40, 50, 5, 5, 5, 5, 5, 5]);
    expect(teacher.logits(one, 0, 0).conversion).toBe(teacher.logits(other, 0, 0).conversion);
    expect(teacher.logits(one, 0, 0).click).not.toBe(teacher.logits(other, 0, 0).click);
    expect(teacher.logits(one, 0, 4).click).not.toBe(teacher.logits(one, 0, 0).click);
  });

  it('is the same bytes for the same options and others for another seed', async () => {
    const bytes = async (name: string, seed: number) => {
      await synthesise(parseFunnelOptions({ days: 3, rowsPerDay: 300, seed }), join(folder, name));
      return ['dt=2024-03-01/part-0.parquet', 'truth.json'].map((file) =>
        readFileSync(join(folder, name, file)),
      );
    };
    const first = await bytes('one', 4);
    expect(await bytes('again', 4)).toEqual(first);
    const other = await bytes('other', 5);
    expect(other.map((file, i) => file.equals(first[i]!))).toEqual([false, false]);
  });

  it('says enough in truth.json to work out the true probabilities of every row again', async () => {
    const output = join(folder, 'truth');
    const options = parseFunnelOptions({ days: 3, rowsPerDay: 200, vocabulary: 9, drift: 0.2, seed: 3 });
    await synthesise(options, output);
    const { teacher } = JSON.parse(readFileSync(join(output, 'truth.json'), 'utf8')) as TruthDocument;
    const table = pl.readParquet(join(output, 'dt=2024-03-03', 'part-0.parquet'));
    const fields = Array.from(
      { length: options.fields },
      (_, f) => table.getColumn(`f${f}`).toArray() as string[],
    );
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    for (const [task, column] of [
      [teacher.click, 'true_pctr'],
      [teacher.conversion, 'true_pcvr'],
    ] as const) {
      table
        .getColumn(column)
        .toArray()
        .forEach((stated, row) => {
          const latent = (field: number) => teacher.latents[field]![Number(fields[field]![row]!.slice(1))]!;
          const signal = teacher.unitFields.reduce((sum, [f, g], j) => {
            const p = dot(task.firstDirections[j]!, latent(f));
            const q = dot(task.secondDirections[j]!, latent(g));
            // The third day is two turns from the first.
            const readOut = Math.cos(0.4) * task.readOut[j]! + Math.sin(0.4) * task.driftsTo[j]!;
            return sum + readOut * Math.tanh(2 * (p * q + 0.5 * p));
          }, 0);
          const logit = task.bias + (options.gain * (signal - task.mean)) / task.deviation;
          expect(Number(stated)).toBeCloseTo(1 / (1 + Math.exp(-logit)), 6);
        });
    }
  });

  it('comes with a valid training config for its own partitions', async () => {
    const output = join(folder, 'config');
    await synthesise(parseFunnelOptions({ days: 4, rowsPerDay: 50, firstDate: '2023-12-30' }), output);
    const config = parseTrainingConfig(JSON.parse(readFileSync(join(output, 'config.json'), 'utf8')), 'x');
    expect(config.split).toEqual({
      by: 'date',
      train: { from: '2023-12-30', to: '2023-12-31' },
      validation: { from: '2024-01-01', to: '2024-01-01' },
      report: { from: '2024-01-02', to: '2024-01-02' },
    });
    expect(existsSync(join(output, 'dt=2024-01-02', 'part-0.parquet'))).toBe(true);
  });

  it('leaves as many days to choose and to report on as asked for, and one to train on at least', async () => {
    const output = join(folder, 'more-days');
    const options = { days: 7, validationDays: 2, reportDays: 4, rowsPerDay: 500, firstDate: '2024-01-01' };
    const { bestClickAuc } = await synthesise(parseFunnelOptions(options), output);
    const config = parseTrainingConfig(JSON.parse(readFileSync(join(output, 'config.json'), 'utf8')), 'x');
    expect(config.split).toMatchObject({
      train: { from: '2024-01-01', to: '2024-01-01' },
      validation: { from: '2024-01-02', to: '2024-01-03' },
      report: { from: '2024-01-04', to: '2024-01-07' },
    });
    // The same rows, of which only the last day is reported on.
    const lastDayOnly = { ...options, validationDays: 1, reportDays: 1 };
    const other = await synthesise(parseFunnelOptions(lastDayOnly), join(folder, 'last-day'));
    expect(other.bestClickAuc).not.toBe(bestClickAuc);
    expect(() => parseFunnelOptions({ days: 6, validationDays: 2, reportDays: 4 })).toThrow(
      /validationDays, reportDays: no day of 6 is left/,
    );
  });

  it('is refused in a folder that holds files, and with options out of range, all of them named', async () => {
    const output = join(folder, 'filled');
    mkdirSync(output);
    writeFileSync(join(output, 'mine.txt'), '');
    await expect(synthesise(parseFunnelOptions(small), output)).rejects.toMatchObject({
      code: 'STORAGE_NOT_EMPTY',
    });
    expect(() => parseFunnelOptions({ days: 2, clickRate: 1 })).toThrow(/days: [\s\S]*clickRate: /);
    expect(() => parseFunnelOptions({ fields: 3, clickbaitFields: 2 })).toThrow(/clickbaitFields/);
    expect(() => parseFunnelOptions({ fields: 64, vocabulary: 20_000 })).toThrow(/fields, vocabulary: more/);
    const deaf = parseFunnelOptions({ clickbaitFields: 6, units: 1, seed: 1 });
    expect(() => new FunnelTeacher(deaf)).toThrow(/nothing would explain the conversions/);
  });
});
