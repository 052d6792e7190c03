import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const folder = temporaryFolder();

// What Node 20 does on a file system that is mounted read-only: ENOENT from a recursive call, EROFS from a plain one.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const failing = (code: string) => Promise.reject(Object.assign(new Error(code), { code }));
  const mkdir = ((path: string, options?: { recursive?: boolean }) => {
    if (!path.includes('read-only')) return real.mkdir(path, options);
    if (options?.recursive) return failing('ENOENT');
    return failing(path.endsWith('read-only') ? 'EEXIST' : path.endsWith('deep') ? 'ENOENT' : 'EROFS');
  }) as typeof real.mkdir;
  return { ...real, mkdir };
});

it('a read-only file system is no missing file', async () => {
  const uri = join(folder, 'read-only', 'new', 'deep', 'a.arrow');
  const refusal = {
    code: 'STORAGE_ACCESS_DENIED',
    message: expect.stringContaining('the file system is read-only'),
    location: { file: uri },
  };
  await expect(localDisk.createAtomic(uri)).rejects.toMatchObject(refusal);
  await expect(localDisk.createIfAbsent(uri, new Uint8Array(1))).rejects.toMatchObject(refusal);
  await expect(localDisk.replaceIfVersion(uri, new Uint8Array(1), 'x')).rejects.toMatchObject(refusal);
});
