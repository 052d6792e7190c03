import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const folder = temporaryFolder();
const uri = join(folder, 'pointer.json');
const bytesOf = (text: string) => new TextEncoder().encode(text);

it('the lock of a process that died is taken over, by any number of writers, and one of them wins', async () => {
  const first = (await localDisk.createIfAbsent(uri, bytesOf('0')))!;
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(join(folder, '.pointer.json.lock'), `${dead} gone`);
  const tries = Array.from({ length: 5 }, (_, i) => localDisk.replaceIfVersion(uri, bytesOf(`v${i}`), first));
  const versions = await Promise.all(tries);
  expect(versions.filter((version) => version !== undefined)).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(['pointer.json']);
});

it('the lock of a living process is waited for, then named in an error that may pass', async () => {
  const { version } = (await localDisk.readVersioned(uri))!;
  const lockPath = join(folder, '.pointer.json.lock');
  writeFileSync(lockPath, `${process.pid} someone else`);
  await expect(localDisk.replaceIfVersion(uri, bytesOf('x'), version)).rejects.toMatchObject({
    code: 'STORAGE_LOCKED',
    found: lockPath,
    retryable: true,
  });
  expect((await localDisk.readVersioned(uri))!.version).toBe(version);
}, 30_000);
