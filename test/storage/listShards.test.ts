import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isShard, listShards, SHARD_ENDINGS, withoutShardEnding } from '../../lib/storage/listShards.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const SHARDS = ['a.parquet', 'b.PARQUET', 'c.parq', 'dt=1/d.pq'];
const OTHERS = ['README.md', 'a.parquet.crc', 'parquet', 'pq'];
const HIDDEN = ['.e.parquet', '_SUCCESS', '_temporary/0/f.parquet', 'dt=1/.staging/g.parquet'];

describe.each([
  ['the local disk', temporaryFolder()],
  ['S3', `s3://${testEndpoint().bucket}/shards`],
])('on %s', (_, root) => {
  it('a folder has as shards what its names say, leaves out other files by name, and does not tell of hidden ones', async () => {
    for (const path of [...SHARDS, ...OTHERS, ...HIDDEN])
      await writeWhole(joinUri(root, path), new Uint8Array(1));
    const { shards, ignored } = await listShards(root);
    expect(shards.map(({ relativePath }) => relativePath)).toEqual(SHARDS);
    expect(ignored).toEqual([...OTHERS].sort().map((path) => joinUri(root, path)));
  });

  it('a single file is a shard whatever its name', async () => {
    const uri = joinUri(root, 'README.md');
    expect((await listShards(uri)).shards.map((shard) => shard.uri)).toEqual([uri]);
  });
});

it('a name is judged as the listing judges it', () => {
  expect([...SHARDS, ...OTHERS, ...HIDDEN].filter(isShard)).toEqual(SHARDS);
  expect(SHARDS.map(withoutShardEnding)).toEqual(['a', 'b', 'c', 'dt=1/d']);
  expect(withoutShardEnding('x.arrow')).toBe('x.arrow');
});

it('the bucket tells the event path of every ending that is listed, and of no other', () => {
  const template = readFileSync(new URL('../../infra/buckets.yml', import.meta.url), 'utf8');
  const told = [...template.matchAll(/Name: suffix, Value: ([.\w]+)/g)].map(([, ending]) => ending);
  expect(told).toEqual([...SHARD_ENDINGS]);
});
