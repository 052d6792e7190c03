import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import { funnelRows, funnelShard, TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { sampleShard } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const dataUri = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 300 });

/** The validation day's rows with these labels; the training days as they are. */
function validatedBy(name: string, labels: { click?: 0 | 1; conversion?: 0 | 1 }): string {
  const root = writeTinyFunnel(join(folder, name), { rowsPerDay: 300, dates: TINY_DATES.slice(0, 2) });
  const rows = funnelRows(TINY_DATES[2], 300).map((row) => ({ ...row, ...labels }));
  mkdirSync(join(root, `dt=${TINY_DATES[2]}`));
  writeFileSync(join(root, `dt=${TINY_DATES[2]}`, 'part-0.parquet'), funnelShard(rows));
  return root;
}

describe('training', () => {
  it('refuses an output that cannot be written before it reads the rows', async () => {
    writeFileSync(join(folder, 'in the way'), '');
    const stages: string[] = [];
    const output = join(folder, 'in the way', 'bundle');
    const run = trainModel(tinyConfig(), dataUri, output, { onStage: (stage) => stages.push(stage) });
    await expect(run).rejects.toThrow(/in the way/);
    expect(stages).toEqual([]);
  });

  it('names every column that the config misspells, labels and row keys too, before it reads rows', async () => {
    const stages: string[] = [];
    const given = tinyConfig();
    const contract = {
      ...given.contract,
      rowKeys: ['impresion_id'],
      features: given.contract.features.map((feature) =>
        feature.column === 'user_id' ? { ...feature, column: 'impresion_id' } : feature,
      ),
    };
    const config = { ...given, contract, labels: { ...given.labels, conversion: 'bought' } };
    const run = trainModel(config, dataUri, join(folder, 'misspelt'), {
      onStage: (stage) => stages.push(stage),
    });
    await expect(run).rejects.toMatchObject({
      code: 'SHARD_COLUMNS',
      problems: [
        expect.stringContaining("column 'impresion_id'") as string,
        expect.stringContaining("column 'bought'") as string,
      ],
    });
    expect(stages).toEqual(['fitting']);
  });

  it('tells of columns that the last validation shard lacks before it reads the training rows', async () => {
    const root = writeTinyFunnel(join(folder, 'renamed'), { rowsPerDay: 300, dates: TINY_DATES.slice(0, 2) });
    mkdirSync(join(root, `dt=${TINY_DATES[2]}`));
    const file = join(root, `dt=${TINY_DATES[2]}`, 'part-0.parquet');
    writeFileSync(file, sampleShard());
    const stages: string[] = [];
    const options = { onStage: (stage: string) => stages.push(stage) };
    const run = trainModel(tinyConfig(), root, join(folder, 'of renamed'), options);
    await expect(run).rejects.toMatchObject({ code: 'SHARD_COLUMNS', location: { file } });
    expect(stages).toEqual(['fitting']);
  });

  it('refuses weights beyond one ONNX file before it takes memory for them', async () => {
    const table = { type: 'string', hash: { buckets: 2 ** 30 } };
    const features = [
      { kind: 'categorical', column: 'item_id', table: 'item' },
      { kind: 'categorical', column: 'device', table },
    ];
    const config = tinyConfig({ contract: { features } });
    await expect(trainModel(config, dataUri, join(folder, 'large'))).rejects.toMatchObject({
      code: 'GRAPH_TOO_LARGE',
      found: expect.stringContaining('embedding rows of width 4') as string,
    });
  });

  it('refuses validation rows on which no checkpoint can be chosen', async () => {
    const root = validatedBy('unclicked', { click: 0 });
    await expect(trainModel(tinyConfig(), root, join(folder, 'unchosen'))).rejects.toMatchObject({
      code: 'TRAINING_NO_POSITIVES',
      found: '0 clicks in 300 rows with a known label',
    });
    expect(existsSync(join(folder, 'unchosen', 'model.onnx'))).toBe(false);
  });

  it.each([
    ['no conversion', { conversion: 0 }, 'TRAINING_NO_POSITIVES', /^0 conversions in \d+ clicked rows/],
    ['conversions only', { conversion: 1 }, 'TRAINING_NO_NEGATIVES', /^(\d+) conversions in \1 clicked rows/],
    ['clicks only', { click: 1, conversion: 0 }, 'TRAINING_NO_NEGATIVES', /^300 clicks in 300 rows/],
  ] as const)('refuses validation rows with %s, with the counts', async (title, labels, code, found) => {
    const output = join(folder, `bundle of ${title}`);
    const run = trainModel(tinyConfig(), validatedBy(title, labels), output);
    await expect(run).rejects.toMatchObject({
      code,
      message: expect.stringContaining('the validation rows') as string,
      found: expect.stringMatching(found) as string,
    });
    expect(existsSync(join(output, 'model.onnx'))).toBe(false);
  });

  it('tells a diverged run by its task and step', async () => {
    const config = tinyConfig({ training: { trunk: { learningRate: 1e30 } } });
    await expect(trainModel(config, dataUri, join(folder, 'diverged'))).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
      message: expect.stringMatching(/the (click|conversion) loss is lost at step \d+/) as string,
    });
  });

  it('tells one that its last step before a validation has made by its task and step, too', async () => {
    const config = tinyConfig({ training: { batchRows: 65_536, trunk: { learningRate: 1e30 } } });
    await expect(trainModel(config, dataUri, join(folder, 'diverged late'))).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
      message: expect.stringMatching(/the (click|conversion) scores are lost behind step 1/) as string,
    });
  });

  it("writes no bundle whose graph doesn't give the scores that training had, under a code of its own", async () => {
    const { predict } = ForwardPass.prototype;
    const spy = vi.spyOn(ForwardPass.prototype, 'predict').mockImplementation(async function (
      this: ForwardPass,
      ...given
    ) {
      const { pctr, pcvr } = await predict.apply(this, given);
      return { pctr: pctr.map((score) => 0.999 * score), pcvr };
    });
    const output = join(folder, 'otherwise');
    await expect(trainModel(tinyConfig(), dataUri, output)).rejects.toMatchObject({
      code: 'BUNDLE_EXPORT_MISMATCH',
      location: { file: output },
      message: expect.stringMatching(/no bundle is written.*\n.*row 0, pctr: expected 0\.\d+, found 0\.\d+/),
    });
    spy.mockRestore();
    expect(existsSync(join(output, 'bundle.json'))).toBe(false);
  });
});
