import { describe, expect, it } from 'vitest';
import { choosePartitions } from '../../lib/job/choosePartitions.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { listInputShards } from '../../lib/job/jobInput.ts';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

// What infra/locations.cjs and infra/roles.yml allow of a location s3://BUCKET/in/v1: objects in/v1/*, listings of in/v1/*.
const s3 = testEndpoint({
  fault: ({ method, key, query }) => {
    const named = key === '' ? (query.get('prefix') ?? '') : key;
    return method !== 'PUT' && /^(in|scores)\/v1$/.test(named)
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined;
  },
});
const NOW = Date.parse('2024-03-07T12:00:00Z');

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  'with rights below a prefix alone',
  () => {
    it.each([['none'], ['quiet']])(
      'an input without partitions is chosen and listed (completeness %s)',
      async (kind) => {
        const input = `s3://${s3.bucket}/in/v1`;
        await writeWhole(`${input}/sub/a.parquet`, Buffer.from('a'));
        const completeness = kind === 'quiet' ? { kind, minutes: 0.000_001 } : { kind };
        const job = parseJob({ input, scores: 's', model: 'm', partitions: 'none', completeness });
        const now = kind === 'quiet' ? Date.now() + 60_000 : NOW;
        const { partitions } = await choosePartitions(job, { kind: 'newest' }, now);
        expect(partitions.map(({ partition }) => partition)).toEqual(['all']);
        const { shards } = await listInputShards(partitions[0]!);
        expect(shards.map(({ relativePath }) => relativePath)).toEqual(['sub/a.parquet']);
      },
    );

    it('the output root is found, and one in which nothing lies is told from it', async () => {
      const root = `s3://${s3.bucket}/scores/v1`;
      await expect(publicationStatus(root)).rejects.toMatchObject({ code: 'PUBLISH_NO_ROOT' });
      await writeWhole(`${root}/plans/x.json`, Buffer.from('{}'));
      expect(await publicationStatus(root)).toEqual([]);
    });
  },
);
