import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { refuseUnwritable } from '../../lib/bundle/writeBundle.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

// Rights don't bind the administrator, whom tests may run as.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const denied = (path: string) => {
    if (!path.includes('denied')) return;
    throw Object.assign(new Error(`EACCES: permission denied, '${path}'`), { code: 'EACCES' });
  };
  const open = (async (path: string, flags?: string) => {
    denied(path);
    return real.open(path, flags);
  }) as typeof real.open;
  const mkdir = (async (path: string) => {
    if (!path.endsWith('denied')) denied(path);
    return real.mkdir(path);
  }) as typeof real.mkdir;
  return { ...real, open, mkdir };
});

it.each([
  ['is a file', 'file', 'STORAGE_WRITE_FAILED', /to be a folder, found a file\)$/],
  ['lies below a file', 'file/new/bundle', 'STORAGE_WRITE_FAILED', /to be a folder, found a file\)$/],
  ['may not be made', 'denied/bundle', 'STORAGE_ACCESS_DENIED', /EACCES/],
  ['may not be written to', 'denied', 'STORAGE_ACCESS_DENIED', /EACCES/],
])('of a bundle whose folder %s, the folder is named', async (_title, name, code, says) => {
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'denied'), { recursive: true });
  const uri = join(folder, name);
  const refusal = { code, location: { file: uri }, message: expect.stringMatching(says) };
  await expect(refuseUnwritable(uri)).rejects.toMatchObject(refusal);
});

it('a folder that can be written to is left as it is, and one that was made for it, with those above, is taken away', async () => {
  const there = join(folder, 'there');
  mkdirSync(there);
  await refuseUnwritable(there);
  expect(readdirSync(there)).toEqual([]);
  await refuseUnwritable(join(there, 'new', 'bundle'));
  expect(readdirSync(there)).toEqual([]);
});
