import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
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

it('the lock of a living process is waited for, ten seconds long, then named in an error that may pass', async () => {
  const { version } = (await localDisk.readVersioned(uri))!;
  const lockPath = join(folder, '.pointer.json.lock');
  writeFileSync(lockPath, `${process.pid} someone else`);
  // The limit's clock alone: between two looks at the lock, real milliseconds pass.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
  onTestFinished(() => clock.mockRestore());
  let hasEnded = false;
  const replacing = localDisk.replaceIfVersion(uri, bytesOf('x'), version).finally(() => {
    hasEnded = true;
  });
  replacing.catch(() => {});
  const looks = async (count: number) => {
    const before = clock.mock.calls.length;
    await vi.waitUntil(() => hasEnded || clock.mock.calls.length >= before + count, { interval: 1 });
  };
  await looks(3);
  clock.mockReturnValue(9_999);
  await looks(3);
  expect(hasEnded).toBe(false);
  clock.mockReturnValue(10_000);
  await expect(replacing).rejects.toMatchObject({
    code: 'STORAGE_LOCKED',
    found: lockPath,
    retryable: true,
  });
  expect((await localDisk.readVersioned(uri))!.version).toBe(version);
});

it('the lock of a living process is taken as soon as it is given back', async () => {
  const { version } = (await localDisk.readVersioned(uri))!;
  const lockPath = join(folder, '.pointer.json.lock');
  writeFileSync(lockPath, `${process.pid} someone else`);
  const now = vi.spyOn(performance, 'now');
  onTestFinished(() => now.mockRestore());
  const replacing = localDisk.replaceIfVersion(uri, bytesOf('y'), version);
  await vi.waitUntil(() => now.mock.calls.length > 3, { interval: 1 });
  rmSync(lockPath);
  expect(await replacing).toBeDefined();
  expect(readdirSync(folder)).toEqual(['pointer.json']);
});
