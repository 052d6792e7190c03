import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeData } from '../../lib/recipe/encodeData.ts';
import { fitFeatures } from '../../lib/recipe/fitFeatures.ts';
import { splitShards } from '../../lib/recipe/splitShards.ts';
import { funnelRows, funnelShard, TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

it('notes what validation rows lack and training rows have, of each feature by the rows of its own side', async () => {
  const dataUri = writeTinyFunnel(temporaryFolder(), { rowsPerDay: 300 });
  const day = TINY_DATES[2];
  const rows = funnelRows(day, 300).map((row) => ({ ...row, user_id: 9_999n, age: null }));
  writeFileSync(join(dataUri, `dt=${day}`, 'part-0.parquet'), funnelShard(rows, 100));
  const config = tinyConfig();
  const split = await splitShards(dataUri, config.split);
  const { notes } = await encodeData(config, split, await fitFeatures(config, split));
  expect(notes).toEqual([
    expect.stringMatching(/^no validation row has a value of age, /),
    expect.stringMatching(/^100\.0% of .* values of user_id /),
  ]);
});
