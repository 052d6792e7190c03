import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cutPartition } from '../../lib/publish/cutPartition.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { scorePart } from '../../lib/publish/scorePart.ts';
import { scoringPool } from '../../lib/scoring/workerPool.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a part', () => {
  it('of 40 MB, as a million rows have, is looked for, written, fingerprinted and receipted by one request each, and read back over four connections', async () => {
    const { bundle } = await trainTinyModel(join(folder, 'model'));
    const pool = scoringPool(bundle, 1);
    const root = `s3://${s3.bucket}/scores`;
    const inputUri = `s3://${s3.bucket}/features/day`;
    const place = { root, partition: 'day', model: modelIdentity(bundle), inputUri };
    // A few rows with long keys.
    const rows = funnelRows('2024-03-09', 2_000).map((row) => ({
      ...row,
      request: row.request.padEnd(20_000, '.'),
    }));
    await writeWhole(`${inputUri}/a.parquet`, funnelShard(rows, 500));
    const { parts } = (await cutPartition({ ...place, targetRows: 1_000_000 }))!;
    const before = s3.double!.requests.length;
    const scored = await scorePart(parts[0]!, place, bundle, pool);
    expect(scored).toMatchObject({ wasDone: false, rowsScored: 2_000 });
    if ('receipt' in scored) expect(scored.receipt.sizeBytes).toBeGreaterThan(39e6);
    const requests = s3.double!.requests.slice(before).filter(({ key }) => key.startsWith('scores/'));
    expect(requests.map(({ method, key }) => `${method} ${key.split('/')[1]}`)).toEqual([
      'HEAD parts',
      'PUT parts',
      ...Array(4).fill('GET parts'),
      'PUT keys',
      'PUT receipts',
    ]);
    await pool.close();
  });
});
