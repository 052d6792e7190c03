import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { appendFile, link, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../lib/base/errors.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import { temporaryFolder } from './temporaryFolder.ts';
import { writeBytes } from './writeBytes.ts';

const folder = temporaryFolder();

describe('URIs', () => {
  test('a path and its file:// URI open the same bytes, also with blanks, percent signs and hashes in the name', async () => {
    const path = writeBytes(folder, 'odd name 100%25 #1.bin', 10);
    for (const uri of [path, pathToFileURL(path).href]) {
      const file = await localDisk.open(uri);
      expect(file).toMatchObject({ uri, sizeBytes: 10 });
      await file.close();
    }
  });

  test.each(['https://host/file', 'gs://bucket/key'])('%s is refused', (uri) => {
    const refusal = { code: 'STORAGE_SCHEME_UNSUPPORTED', expected: 'a path, a file:// or an s3:// URI' };
    expect(() => storageFor(uri)).toThrow(expect.objectContaining(refusal));
  });

  test.each(['s3://bucket/key', 'S3://bucket/key'])(
    '%s lives in S3, and the disk refuses it',
    async (uri) => {
      const refusal = { code: 'STORAGE_SCHEME_UNSUPPORTED' };
      expect(storageFor(uri)).toBe(s3Storage);
      await expect(localDisk.open(uri)).rejects.toMatchObject(refusal);
      await expect(localDisk.list(uri)).rejects.toMatchObject(refusal);
      await expect(localDisk.readWhole(uri)).rejects.toMatchObject(refusal);
      await expect(localDisk.createAtomic(uri)).rejects.toMatchObject(refusal);
      await expect(localDisk.exists(uri)).rejects.toMatchObject(refusal);
    },
  );

  test('a file URI that names another host is refused', () => {
    expect(() => storageFor('file://host/data')).toThrow(
      expect.objectContaining({ code: 'STORAGE_URI_INVALID' }),
    );
  });

  test('paths and file URIs live on the local disk', () => {
    expect(storageFor('data/part-0.parquet')).toBe(localDisk);
    expect(storageFor('file:///data')).toBe(localDisk);
    expect(storageFor('C:\\data')).toBe(localDisk);
  });
});

/** As a listing gives it: small files are then opened and read by direct calls. */
const openListed = async (path: string) => localDisk.open(path, (await localDisk.stat(path))!);
const ways = [
  ['by its name', (path: string) => localDisk.open(path)],
  ['as it was listed', openListed],
] as const;

describe.each(ways)('reading a file opened %s', (way, open) => {
  test('a range fills the whole target and nothing beyond it', async () => {
    const file = await open(writeBytes(folder, 'range.bin', 1000));
    const buffer = new Uint8Array(40).fill(255);
    await file.readInto(buffer.subarray(10, 30), 300);
    await file.close();
    expect([...buffer.subarray(10, 30)]).toEqual(Array.from({ length: 20 }, (_, i) => (300 + i) % 251));
    expect(buffer.subarray(0, 10)).toEqual(new Uint8Array(10).fill(255));
    expect(buffer.subarray(30)).toEqual(new Uint8Array(10).fill(255));
  });

  test('parallel ranges of one handle do not mix', async () => {
    const file = await open(writeBytes(folder, 'parallel.bin', 5000));
    const targets = Array.from({ length: 50 }, () => new Uint8Array(100));
    await Promise.all(targets.map((target, i) => file.readInto(target, 100 * i)));
    await file.close();
    expect(targets.map((target) => target[0])).toEqual(targets.map((_, i) => (100 * i) % 251));
  });

  test('a range past the end is a short read with expected and found bytes', async () => {
    const path = writeBytes(folder, 'short.bin', 100);
    const file = await open(path);
    await expect(file.readInto(new Uint8Array(50), 80)).rejects.toMatchObject({
      code: 'STORAGE_SHORT_READ',
      location: { file: path },
      expected: '50 bytes from byte 80',
      found: '20 bytes in a file of 100',
    });
    await expect(file.readInto(new Uint8Array(1), -1)).rejects.toMatchObject({ code: 'STORAGE_READ_FAILED' });
    await file.readInto(new Uint8Array(0), 100);
    await file.close();
    await file.close();
  });

  test.each([
    ['grows', (path: string) => appendFile(path, 'x')],
    ['shrinks', (path: string) => truncate(path, 50)],
    ['is touched', async (path: string) => utimesSync(path, 1, 1)],
  ])('a file that %s while open is a retryable error, not mixed bytes', async (name, change) => {
    const path = writeBytes(folder, `changed ${name} ${way}.bin`, 100);
    const file = await open(path);
    await file.readInto(new Uint8Array(10), 0);
    await change(path);
    await expect(file.readInto(new Uint8Array(20), 70)).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      retryable: true,
    });
    await file.close();
  });

  test.each([
    ['is replaced', (path: string) => rename(`${path}.new`, path)],
    ['is removed', (path: string) => rm(path)],
    ['gets a second name', (path: string) => link(path, `${path}.second`)],
  ])('a file that %s while open is read to its end, in the version that was opened', async (name, change) => {
    const path = writeBytes(folder, `kept ${name} ${way}.bin`, 100);
    const bytes = readFileSync(path);
    writeFileSync(`${path}.new`, Buffer.alloc(100, 7));
    const file = await open(path);
    await change(path);
    const read = new Uint8Array(100);
    await file.readInto(read, 0);
    expect(bytes.equals(read)).toBe(true);
    await file.close();
  });

  test('a file that was closed is neither read nor closed again in place of another with its number', async () => {
    const path = writeBytes(folder, 'closed.bin', 10);
    const file = await open(path);
    await file.close();
    const others = await Promise.all(Array.from({ length: 8 }, () => openListed(path)));
    await expect(file.readInto(new Uint8Array(1), 0)).rejects.toMatchObject({ code: 'STORAGE_READ_FAILED' });
    await file.close();
    for (const other of others) {
      await other.readInto(new Uint8Array(10), 0);
      await other.close();
    }
  });
});

describe('reading', () => {
  const versionOf = async (path: string) => {
    const file = await localDisk.open(path);
    await file.close();
    return file.version;
  };

  test('versions differ when size or modification time differ', async () => {
    const path = writeBytes(folder, 'version.bin', 10);
    utimesSync(path, 1000, 1000);
    const first = await versionOf(path);
    utimesSync(path, 1000, 1001);
    expect(await versionOf(path)).not.toBe(first);
    writeBytes(folder, 'version.bin', 11);
    utimesSync(path, 1000, 1000);
    expect(await versionOf(path)).not.toBe(first);
  });

  test('a file that has not changed has one version, in every process and by every way to ask', async () => {
    const path = writeBytes(folder, 'same version.bin', 10);
    const first = await versionOf(path);
    const script = `import { statSync } from 'node:fs';
      const { mtimeNs, size, ino, ctimeNs } = statSync(process.argv[1], { bigint: true });
      console.log([mtimeNs, size, ino, ctimeNs].map((n) => n.toString(16)).join('-'));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script, path]);
    expect(stdout.toString().trim()).toBe(first);
    const [listed] = await localDisk.list(path);
    const { version: read } = (await localDisk.readVersioned(path))!;
    expect([(await localDisk.stat(path))!.version, listed!.version, read]).toEqual([first, first, first]);
  });

  test.each([
    ['overwritten', (path: string) => writeFileSync(path, Buffer.alloc(10, 7))],
    [
      'replaced by another file',
      (path: string) => {
        writeFileSync(`${path}.new`, Buffer.alloc(10, 7));
        utimesSync(`${path}.new`, 1000, 1000);
        renameSync(`${path}.new`, path);
      },
    ],
  ])(
    'a file that was %s, of the same size and modification time, has another version',
    async (name, change) => {
      const path = writeBytes(folder, `disguised ${name}.bin`, 10);
      utimesSync(path, 1000, 1000);
      const first = (await localDisk.stat(path))!;
      change(path);
      utimesSync(path, 1000, 1000);
      expect((await localDisk.stat(path))!.version).not.toBe(first.version);
      await expect(localDisk.open(path, first)).rejects.toMatchObject({ code: 'STORAGE_FILE_CHANGED' });
    },
  );

  test.each([false, true])(
    'a written file has the version that its writer was told, if absent: %s',
    async (ifAbsent) => {
      const path = join(folder, `told ${ifAbsent}.bin`);
      const file = await localDisk.createAtomic(path, { ifAbsent });
      await file.write(new Uint8Array(10));
      expect((await file.commit())!.version).toBe(await versionOf(path));
    },
  );

  test('a missing file, a folder, and a device are told apart', async () => {
    const missing = join(folder, 'missing', 'file');
    await expect(localDisk.open(missing)).rejects.toThrow(StorageError);
    await expect(localDisk.open(missing)).rejects.toMatchObject({
      code: 'STORAGE_NOT_FOUND',
      location: { file: missing },
    });
    await expect(localDisk.readWhole(missing)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await expect(localDisk.list(missing)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await expect(localDisk.open(folder)).rejects.toMatchObject({
      code: 'STORAGE_NOT_A_FILE',
      found: 'a folder',
    });
    await expect(localDisk.readWhole(folder)).rejects.toMatchObject({ code: 'STORAGE_NOT_A_FILE' });
    await expect(localDisk.open('/dev/null')).rejects.toMatchObject({ code: 'STORAGE_NOT_A_FILE' });
    await expect(localDisk.list('/dev/null')).rejects.toMatchObject({ code: 'STORAGE_NOT_A_FILE' });
    expect(await localDisk.exists(missing)).toBe(false);
    expect(await localDisk.exists(join(writeBytes(folder, 'plain.bin', 1), 'below a file'))).toBe(false);
    expect(await localDisk.exists(folder)).toBe(true);
  });

  test('readWhole gives bytes whose slice is a copy', async () => {
    const bytes = await localDisk.readWhole(writeBytes(folder, 'whole.bin', 300));
    expect(bytes).toHaveLength(300);
    const copy = bytes.slice();
    copy[0] = 99;
    expect(bytes[0]).toBe(0);
  });
});
