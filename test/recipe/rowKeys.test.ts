import { expect, test } from 'vitest';
import { TINY_CONFIG, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

test('training refuses row keys that the data lacks, before it trains: such a bundle could score no shard', async () => {
  const contract = { ...(TINY_CONFIG.contract as object), rowKeys: ['request_id'] };
  await expect(trainTinyModel(folder, { config: { contract } })).rejects.toMatchObject({
    code: 'SHARD_COLUMN_MISSING',
    location: { column: 'request_id' },
  });
});
