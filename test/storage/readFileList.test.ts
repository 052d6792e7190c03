import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { listShards } from '../../lib/storage/listShards.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { readFileList } from '../../lib/storage/readFileList.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const s3 = testEndpoint();
const disk = temporaryFolder();
const s3Root = `s3://${s3.bucket}/table`;

const write = (uri: string, text: string) => writeWhole(uri, Buffer.from(text));
const pathsOf = async (listUri: string) =>
  (await readFileList(listUri)).map(({ relativePath }) => relativePath);

describe.each([
  ['the local disk', disk],
  ['S3', s3Root],
])('a list on %s', (_, root) => {
  const uriOf = (path: string) => joinUri(root, path);
  let lists = 0;
  async function listOf(text: string): Promise<string> {
    const uri = uriOf(`lists/list-${lists++}.txt`);
    await write(uri, text);
    return uri;
  }

  it('names the files that are read, and no other, with size and version as a listing has them', async () => {
    for (const name of ['dt=1/b', 'dt=1/a.parquet', 'dt=2/dead.parquet', 'dt=2/live.parquet'])
      await write(uriOf(`data/${name}`), name);
    const list = await listOf(
      `${uriOf('data/dt=2/live.parquet')}\r\n\n  ${uriOf('data/dt=1/b')}\n${uriOf('data/dt=1/a.parquet')}`,
    );
    const { shards, ignored } = await listShards({ filesUri: list });
    expect(ignored).toEqual([]);
    expect(shards.map(({ relativePath }) => relativePath)).toEqual([
      'dt=1/a.parquet',
      'dt=1/b',
      'dt=2/live.parquet',
    ]);
    const dead = uriOf('data/dt=2/dead.parquet');
    const listed = (await storageFor(root).list(uriOf('data'))).filter(({ uri }) => uri !== dead);
    const comparable = ({ uri, relativePath, sizeBytes, version }: (typeof listed)[number]) => ({
      uri,
      relativePath,
      sizeBytes,
      version,
    });
    expect(shards.map(comparable)).toEqual(listed.map(comparable));
  });

  it('may hold paths that start at its folder, and be a manifest of UNLOAD', async () => {
    for (const name of ['0000_part_00.parquet', '0001_part_00.parquet'])
      await write(uriOf(`lists/u/${name}`), name);
    expect(await pathsOf(await listOf('u/0001_part_00.parquet\nu/0000_part_00.parquet\n'))).toEqual([
      '0000_part_00.parquet',
      '0001_part_00.parquet',
    ]);
    const manifest = {
      entries: [
        { url: uriOf('lists/u/0001_part_00.parquet'), meta: { content_length: 20, record_count: 3 } },
        { url: 'u/0000_part_00.parquet', mandatory: true },
      ],
      schema: { elements: [] },
    };
    expect(await pathsOf(await listOf(`\n${JSON.stringify(manifest)}`))).toEqual([
      '0000_part_00.parquet',
      '0001_part_00.parquet',
    ]);
  });

  it('of one file gives it its own name', async () => {
    await write(uriOf('data/single/x.parquet'), 'x');
    expect(await pathsOf(await listOf(uriOf('data/single/x.parquet')))).toEqual(['x.parquet']);
  });

  it('is refused with every file that is missing, twice, a folder or of another size, at once', async () => {
    for (const name of ['a', 'b', 'folder/c']) await write(uriOf(`odd/${name}`), name);
    const entries = [
      { url: uriOf('odd/gone-1') },
      { url: uriOf('odd/a') },
      { url: uriOf('odd/b'), meta: { content_length: 99 } },
      { url: uriOf('odd/a'), meta: { content_length: 1 } },
      { url: uriOf('odd/folder') },
      { url: 'gs://bucket/key' },
      { url: uriOf('odd/gone-2') },
    ];
    const error = await readFileList(await listOf(JSON.stringify({ entries }))).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: 'INPUT_LIST_INVALID',
      location: { file: expect.stringContaining('list-') },
    });
    const { problems } = error as { problems: readonly string[] };
    expect([...problems].sort()).toEqual([
      `entries.0: ${uriOf('odd/gone-1')}: there is no such file`,
      `entries.2: ${uriOf('odd/b')}: 1 bytes, where the list says 99`,
      `entries.3: ${uriOf('odd/a')}: the same file as entries.1`,
      `entries.4: ${uriOf('odd/folder')}: a folder, not a file`,
      'entries.5: gs://bucket/key: expected a path, a file:// or an s3:// URI',
      `entries.6: ${uriOf('odd/gone-2')}: there is no such file`,
    ]);
    await expect(readFileList(await listOf(`\n${uriOf('odd/a')}\n../odd/gone`))).rejects.toThrow(
      /line 3: .*gone/,
    );
  });

  it('names a hundred files of a list that has lost more, and says how many more', async () => {
    const entries = Array.from({ length: 103 }, (_, index) => ({ url: uriOf(`gone/${index}`) }));
    const error = await readFileList(await listOf(JSON.stringify({ entries }))).catch(
      (thrown: unknown) => thrown,
    );
    const { problems } = error as { problems: readonly string[] };
    expect(problems).toHaveLength(101);
    expect(problems[99]).toContain('entries.99');
    expect(problems[100]).toBe('and 3 more');
  });

  it('without a file is refused, as is JSON that is no manifest, or a list that is not there', async () => {
    for (const text of ['', ' \n\n', '{"entries":[]}'])
      await expect(readFileList(await listOf(text))).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    for (const text of [
      '{"entries":[{"uri":"x"}]}',
      '{',
      '{"entries":[{"url":"x","meta":{"content_length":-1}}]}',
    ])
      await expect(readFileList(await listOf(text))).rejects.toMatchObject({ code: 'INPUT_LIST_INVALID' });
    await expect(readFileList(uriOf('lists/none.txt'))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  });
});

it("a list takes Hadoop's names of S3 for S3, and mixes storages", async () => {
  await write(joinUri(s3Root, 'mixed/a.parquet'), 'a');
  await write(join(disk, 'mixed/b.parquet'), 'b');
  const list = join(disk, 'mixed.txt');
  await write(list, `s3a://${s3.bucket}/table/mixed/a.parquet\nmixed/b.parquet\n`);
  const files = await readFileList(list);
  expect(files.map(({ uri }) => uri).sort()).toEqual(
    [join(disk, 'mixed/b.parquet'), `${s3Root}/mixed/a.parquet`].sort(),
  );
  expect(files.map(({ relativePath }) => relativePath)).toContain(`${s3.bucket}/table/mixed/a.parquet`);
});

it('a list tells one file by all its names on disk', async () => {
  const file = join(disk, 'same #1.parquet');
  await write(file, 'x');
  const list = join(disk, 'same.txt');
  for (const other of [
    pathToFileURL(file).href,
    `../${relative(dirname(disk), file)}`,
    './same #1.parquet',
  ]) {
    await write(list, `${file}\n${other}\n`);
    await expect(readFileList(list)).rejects.toThrow(/line 2: .*the same file as line 1/);
  }
});
