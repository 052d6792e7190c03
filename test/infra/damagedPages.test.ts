import { describe, expect, it } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { changeJob } from '../support/functions/jobVariable.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

// The state machine as it is deployed, with the functions in this process.
const scene = scoringRunScene();
const DAY = 'dt=2024-03-09';

/** Shards that are one part, some of which have a flipped byte in their first pages: their footers are sound. */
function land(whole: number, damaged: number): void {
  changeJob({ targetRows: 1_000 });
  for (let i = 0; i < whole + damaged; i++) {
    const bytes = Buffer.from(funnelShard(funnelRows('2024-03-09', 30), 60));
    scene.put(`${DAY}/s${i}.parquet`, i < whole ? bytes : bytes.fill(0xff, 4, 200));
  }
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('shards with damaged pages', () => {
  it('of one part are all named by one run, as broken ones are, though a try finds but one', async () => {
    land(2, 6);
    await expect(scene.run(ALL)).rejects.toThrow(/of 1 partitions, 1 failed/);
    const [[error, cause]] = (await scene.failures()) as [[string, string]];
    expect(error).toBe('PartitionRefused');
    for (let i = 2; i < 8; i++) expect(cause).toMatch(new RegExp(`/${DAY}/s${i}\\.parquet, 30 rows: SHARD_`));
    // What she replaces in one go is all that was wrong.
    land(8, 0);
    await scene.run(ALL);
    expect(await scene.published()).toEqual([[DAY, 240]]);
  });
});
