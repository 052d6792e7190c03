import { describe, expect, it } from 'vitest';
import { listShards, withoutShardEnding } from '../../lib/storage/listShards.ts';
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

  it('a shard that somebody has compressed as a file counts as one, to be found broken', async () => {
    const folder = joinUri(root, 'compressed');
    const files = ['a.parquet.gz', 'b.PARQUET.ZST', 'c.pq.bz2'];
    for (const path of [...files, 'd.csv.gz', 'e.parquet.md5', 'f.gz'])
      await writeWhole(joinUri(folder, path), Buffer.from('1f8b'));
    const { shards } = await listShards(folder);
    expect(shards.map(({ relativePath }) => relativePath)).toEqual(files);
  });

  it('a file that begins as Parquet does is a shard whatever its name, whole or not', async () => {
    const files = {
      '000000_0': 'PAR1 rows PAR1',
      'broken.gz': 'PAR1 and no end',
      encrypted: 'PARE rows PARE',
      'ends-as-one': 'rows PAR1',
      nearly: 'PAR',
      nothing: '',
      _hidden: 'PAR1 rows PAR1',
    };
    const folder = joinUri(root, 'by content');
    for (const [path, text] of Object.entries(files))
      await writeWhole(joinUri(folder, path), Buffer.from(text));
    const { shards, ignored } = await listShards(folder);
    expect(shards.map(({ relativePath }) => relativePath)).toEqual(['000000_0', 'broken.gz', 'encrypted']);
    expect(ignored).toEqual(['ends-as-one', 'nearly', 'nothing'].map((path) => joinUri(folder, path)));
  });

  it.each([
    ['a Delta table', '_delta_log/00000000000000000000.json'],
    ['a Hudi table', '.hoodie/hoodie.properties'],
    ['an Iceberg table', 'metadata/v1.metadata.json'],
  ])('the folder of %s is refused', async (kind, file) => {
    const folder = joinUri(root, kind);
    for (const path of ['dt=1/a.parquet', file]) await writeWhole(joinUri(folder, path), new Uint8Array(1));
    await expect(listShards(folder)).rejects.toMatchObject({
      code: 'INPUT_IS_TABLE',
      location: { file: folder },
      found: expect.stringContaining(kind),
    });
  });

  it('a folder called metadata that is of no table is a folder', async () => {
    const folder = joinUri(root, 'plain');
    for (const path of ['a.parquet', 'metadata/readme.txt'])
      await writeWhole(joinUri(folder, path), new Uint8Array(1));
    expect((await listShards(folder)).ignored).toEqual([joinUri(folder, 'metadata/readme.txt')]);
  });

  it('a single file is a shard whatever its name', async () => {
    const uri = joinUri(root, 'README.md');
    expect((await listShards(uri)).shards.map((shard) => shard.uri)).toEqual([uri]);
  });
});

it('the ending that makes a file a shard is taken off its name, and no other', () => {
  expect(SHARDS.map(withoutShardEnding)).toEqual(['a', 'b', 'c', 'dt=1/d']);
  expect(withoutShardEnding('x.arrow')).toBe('x.arrow');
});
