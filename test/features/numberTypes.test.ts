import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { floats, readTable, SCORE_NAMES } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const night = `${sharedData}nights/40-float32/`;

// A bucketed column in tenths, most of whose values are boundaries.
describe.skipIf(!hasSharedData)('a night of ../shared/data/nights/40-float32 (skipped without it)', () => {
  it('gets the same scores, bit for bit, from a column of float64, of float32 and of decimals', async () => {
    const folder = temporaryFolder();
    const config = parseTrainingConfig(
      JSON.parse(readFileSync(`${night}config.json`, 'utf8')),
      'config.json',
    );
    const { bundle } = await trainModel(config, `${night}data`, join(folder, 'model'));
    const output = join(folder, 'scores');
    expect(await scoreInput(`${night}in`, output, bundle, { workers: 1 })).toMatchObject({ failures: [] });
    const [expected, ...others] = ['f64', 'f32', 'decimal'].map((name) => {
      const table = readTable(join(output, `${name}.arrow`));
      return SCORE_NAMES.map((score) => Buffer.from(floats(table, score).buffer).toString('hex'));
    });
    expect(expected![0]).toHaveLength(2000 * 8);
    expect(new Set(floats(readTable(join(output, 'f64.arrow')), 'pctr')).size).toBeGreaterThan(1000);
    for (const other of others) expect(other).toEqual(expected);
  });
});
