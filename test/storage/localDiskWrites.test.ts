import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../lib/base/errors.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { socketAt } from './socketAt.ts';
import { temporaryFolder } from './temporaryFolder.ts';
import { writeBytes } from './writeBytes.ts';

const folder = temporaryFolder();

describe('listing', () => {
  const root = join(folder, 'listed');
  mkdirSync(join(root, 'dt=2022-05-02'), { recursive: true });
  mkdirSync(join(root, 'dt=2022-05-01', '_temporary'), { recursive: true });
  mkdirSync(join(root, '.cache'));
  const visible = [
    'a-b.parquet',
    'a.parquet',
    'dt=2022-05-01/part-0.parquet',
    'dt=2022-05-02/part-1.parquet',
    'é',
    '￰',
    '𐀀',
  ];
  const hidden = ['_SUCCESS', '.part.tmp', '.cache/x.parquet', 'dt=2022-05-01/_temporary/x.parquet'];
  for (const name of [...visible].reverse().concat(hidden)) writeFileSync(join(root, name), name);

  test('finds files at any depth in binary order and leaves hidden ones out', async () => {
    const files = await localDisk.list(root);
    expect(files.map((file) => file.relativePath)).toEqual(visible);
    expect(files[0]).toEqual({
      uri: `${root}/a-b.parquet`,
      relativePath: 'a-b.parquet',
      ...(await localDisk.stat(`${root}/a-b.parquet`)),
      modifiedMillis: Math.floor(statSync(`${root}/a-b.parquet`).mtimeMs),
    });
    expect(files[0]!.sizeBytes).toBe(11);
  });

  test('a trailing slash changes nothing and every listed URI opens', async () => {
    expect(await localDisk.list(`${root}//`)).toEqual(await localDisk.list(root));
    for (const base of [root, pathToFileURL(root).href]) {
      const files = await localDisk.list(base);
      const texts = await Promise.all(files.map(({ uri }) => localDisk.readWhole(uri)));
      expect(texts.map((bytes) => Buffer.from(bytes).toString())).toEqual(visible);
    }
  });

  test('one file lists itself under the URI that was given', async () => {
    const uri = join(root, 'a.parquet');
    const { version } = (await localDisk.stat(uri))!;
    expect(await localDisk.list(uri)).toEqual([
      {
        uri,
        relativePath: 'a.parquet',
        sizeBytes: 9,
        version,
        modifiedMillis: Math.floor(statSync(uri).mtimeMs),
      },
    ]);
  });

  test('an empty folder lists nothing, and a hidden folder lists its files when it was asked for', async () => {
    mkdirSync(join(folder, 'empty'));
    expect(await localDisk.list(join(folder, 'empty'))).toEqual([]);
    expect(await localDisk.list(join(root, '.cache'))).toHaveLength(1);
  });

  test('follows links to files and folders, ends at a link upwards, and reports a broken link', async () => {
    const linked = join(folder, 'linked');
    mkdirSync(linked);
    symlinkSync(join(root, 'dt=2022-05-01'), join(linked, 'day'));
    symlinkSync(join(root, 'a.parquet'), join(linked, 'file'));
    symlinkSync(linked, join(linked, 'up'));
    expect((await localDisk.list(linked)).map((file) => file.relativePath)).toEqual([
      'day/part-0.parquet',
      'file',
    ]);
    symlinkSync(join(folder, 'nowhere'), join(linked, 'broken'));
    await expect(localDisk.list(linked)).rejects.toMatchObject({
      code: 'STORAGE_NOT_FOUND',
      location: { file: join(linked, 'broken') },
    });
  });

  test('a socket is no file of a listing that may be left out without a word', async () => {
    const sockets = join(folder, 'sockets');
    mkdirSync(sockets);
    await socketAt(join(sockets, 'a.parquet'));
    await expect(localDisk.list(sockets)).rejects.toMatchObject({
      code: 'STORAGE_NOT_A_FILE',
      location: { file: join(sockets, 'a.parquet') },
    });
    const told: string[] = [];
    expect(await localDisk.list(sockets, (uri) => told.push(uri))).toEqual([]);
    expect(told).toEqual([join(sockets, 'a.parquet')]);
  });

  test('a link to a folder is one of the folders; links to files, and those that lead nowhere, are not', async () => {
    const links = join(folder, 'links');
    mkdirSync(join(links, 'dt=2'), { recursive: true });
    symlinkSync(join(root, 'dt=2022-05-01'), join(links, 'dt=1'));
    symlinkSync(join(root, 'a.parquet'), join(links, 'file'));
    symlinkSync(join(folder, 'nowhere'), join(links, 'broken'));
    expect(await localDisk.listFolders(links)).toEqual(['dt=1', 'dt=2']);
  });

  test('a link that can not be followed for another reason is not called gone', async () => {
    const looped = join(folder, 'looped');
    mkdirSync(looped);
    symlinkSync(join(looped, 'self'), join(looped, 'self'));
    await expect(localDisk.list(looped)).rejects.toMatchObject({
      code: 'STORAGE_READ_FAILED',
      location: { file: join(looped, 'self') },
      found: expect.stringContaining('ELOOP'),
    });
  });
});

describe('writing', () => {
  const output = join(folder, 'output', 'deep');
  const namesIn = (path: string) => readdirSync(path).sort();

  test('nothing stands under the final name before commit, and exactly the bytes after it', async () => {
    const path = join(output, 'done.arrow');
    const file = await localDisk.createAtomic(path);
    await file.write(Buffer.from('hello '));
    await file.write(new Uint8Array(0));
    await file.write(Buffer.from('world'));
    expect(await localDisk.exists(path)).toBe(false);
    expect(await localDisk.list(output)).toEqual([]);
    await file.commit();
    expect(readFileSync(path, 'utf8')).toBe('hello world');
    expect(namesIn(output)).toEqual(['done.arrow']);
    await file.abort();
    expect(readFileSync(path, 'utf8')).toBe('hello world');
    await expect(file.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' });
    await expect(file.commit()).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' });
  });

  test('abort leaves nothing behind, and an older file as it was', async () => {
    const path = join(output, 'old.arrow');
    writeFileSync(path, 'old');
    const file = await localDisk.createAtomic(path);
    await file.write(Buffer.from('new'));
    await file.abort();
    await file.abort();
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(namesIn(output).filter((name) => name.startsWith('.'))).toEqual([]);
    await expect(file.commit()).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' });
  });

  test('commit replaces an older file; of two writers the last one wins whole', async () => {
    const path = pathToFileURL(join(output, 'race.arrow')).href;
    const [first, second] = [await localDisk.createAtomic(path), await localDisk.createAtomic(path)];
    await first.write(Buffer.from('first'));
    await second.write(Buffer.from('2'));
    await second.commit();
    await first.commit();
    expect(Buffer.from(await localDisk.readWhole(path)).toString()).toBe('first');
  });

  test.each(['file/a', 'file/new/deep/a'])(
    'below a file nothing is written, and every kind of write names the file in the way: %s',
    async (below) => {
      const inTheWay = join(output, 'file');
      writeFileSync(inTheWay, '');
      const path = join(output, below);
      const refusal = {
        code: 'STORAGE_WRITE_FAILED',
        message: expect.stringContaining(`${path}: the folder ${dirname(path)} can't be made`),
        expected: `${inTheWay} to be a folder`,
        found: 'a file',
      };
      await expect(localDisk.createAtomic(path)).rejects.toMatchObject(refusal);
      await expect(localDisk.createIfAbsent(path, new Uint8Array(1))).rejects.toMatchObject(refusal);
      await expect(localDisk.replaceIfVersion(path, new Uint8Array(1), 'x')).rejects.toMatchObject(refusal);
    },
  );

  test('a failed commit can be aborted and leaves nothing', async () => {
    const path = join(output, 'blocked.arrow');
    const file = await localDisk.createAtomic(path);
    mkdirSync(join(path, 'in the way'), { recursive: true });
    await expect(file.commit()).rejects.toThrow(StorageError);
    await file.abort();
    expect(namesIn(output).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a folder under the final name, or a file among the folders, is refused at the start', async () => {
    await expect(localDisk.createAtomic(output)).rejects.toMatchObject({ code: 'STORAGE_NOT_A_FILE' });
    const below = join(writeBytes(folder, 'no folder', 1), 'part.arrow');
    await expect(localDisk.createAtomic(below)).rejects.toThrow(StorageError);
  });

  // There, Node's own call for folders within folders never returns.
  test.runIf(process.platform === 'linux')(
    'a file system that makes no folders is an error, not an endless wait',
    async () => {
      await expect(localDisk.createAtomic('/proc/nowhere/deep/a.arrow')).rejects.toThrow(StorageError);
    },
    5000,
  );
});
