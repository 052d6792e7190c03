import { join } from 'node:path';
import { expect, it } from 'vitest';
import { columnRequirements } from '../../lib/features/columnRequirements.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { fitContract } from '../../lib/features/fitContract.ts';
import { labelRequirements } from '../../lib/features/readLabels.ts';
import { readShardRows } from '../../lib/recipe/splitShards.ts';
import { sliceTrainingSet, type TrainingSet, TrainingSetBuilder } from '../../lib/training/trainingSet.ts';
import { funnelRows, TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const ROWS = 700;
const config = tinyConfig();

it('a training set has every row once, whatever batches it came in, and slices are views of the same rows', async () => {
  const layouts: TrainingSet[] = [];
  let slice: TrainingSet | undefined;
  for (const rowGroupRows of [ROWS, 33]) {
    const dates = [TINY_DATES[0]];
    const root = writeTinyFunnel(join(folder, `${rowGroupRows}`), { dates, rowsPerDay: ROWS, rowGroupRows });
    const part = { uri: join(root, `dt=${dates[0]}`, 'part-0.parquet'), rowStart: 0, rowEnd: ROWS };
    const wanted = [...columnRequirements(config.contract), ...labelRequirements(config.labels)];
    const batches = async function* () {
      for await (const { batch } of readShardRows([part], wanted)) yield batch;
    };
    const { contract, vocabularies } = await fitContract(config.contract, batches());
    const encoder = new FeatureEncoder(contract, vocabularies);
    const builder = new TrainingSetBuilder(encoder, config.labels);
    for await (const { batch, ...place } of readShardRows([part], wanted)) builder.add(batch, place);
    const whole = builder.build();
    layouts.push(sliceTrainingSet(encoder.layout, whole, 0, ROWS));
    slice = sliceTrainingSet(encoder.layout, whole, 650, 660);
    const { singles } = encoder.layout;
    expect(slice.rows.singleRows).toEqual(
      whole.rows.singleRows.subarray(650 * singles.length, 660 * singles.length),
    );
  }
  expect(layouts[1]).toEqual(layouts[0]);
  expect(layouts[0]!.rowCount).toBe(ROWS);
  const rows = funnelRows(TINY_DATES[0], ROWS);
  expect([...layouts[0]!.click]).toEqual(rows.map(({ click }) => click));
  expect([...layouts[0]!.conversion]).toEqual(rows.map(({ conversion }) => conversion ?? 0));
  expect([...slice!.click]).toEqual(rows.slice(650, 660).map(({ click }) => click));
});
