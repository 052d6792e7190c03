import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../lib/base/retry.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const folder = temporaryFolder();
const uri = join(folder, 'pointer.json');
const bytesOf = (text: string) => new TextEncoder().encode(text);

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it('the lock of a process that died is taken over, by any number of writers, and one of them wins', async () => {
  const first = (await localDisk.createIfAbsent(uri, bytesOf('0')))!;
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(join(folder, '.pointer.json.lock'), `${dead} gone`);
  const tries = Array.from({ length: 5 }, (_, i) => localDisk.replaceIfVersion(uri, bytesOf(`v${i}`), first));
  const versions = await Promise.all(tries);
  expect(versions.filter((version) => version !== undefined)).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(['pointer.json']);
});

it('the lock of a process that died is taken over at once, however long it took to find that out', async () => {
  const { version } = (await localDisk.readVersioned(uri))!;
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(join(folder, '.pointer.json.lock'), `${dead} gone`);
  // As on a machine so busy that the first try takes all the time that there is.
  let nowMillis = 0;
  vi.spyOn(systemClock, 'nowMillis').mockImplementation(() => {
    nowMillis += 60_000;
    return nowMillis;
  });
  expect(await localDisk.replaceIfVersion(uri, bytesOf('late'), version)).toBeDefined();
});

it.runIf(process.platform === 'linux')(
  'the lock of a process that died is taken over when another one has its number since: this very one, too',
  async () => {
    const { version } = (await localDisk.readVersioned(uri))!;
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    try {
      let last = version;
      for (const processId of [process.pid, child.pid!]) {
        writeFileSync(join(folder, '.pointer.json.lock'), `${processId} 1 gone`);
        const startMillis = performance.now();
        last = (await localDisk.replaceIfVersion(uri, bytesOf(`by ${processId}`), last))!;
        expect(last).toBeDefined();
        expect(performance.now() - startMillis).toBeLessThan(5_000);
      }
      const start = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19];
      const lockPath = join(folder, '.pointer.json.lock');
      writeFileSync(lockPath, `${child.pid} ${start} at work`);
      const replacing = localDisk.replaceIfVersion(uri, bytesOf('later'), last);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await localDisk.readVersioned(uri))!.version).toBe(last);
      rmSync(lockPath);
      expect(await replacing).toBeDefined();
    } finally {
      child.kill();
    }
  },
);

it('the lock of a living process is waited for, then named in an error that may pass', async () => {
  const { version } = (await localDisk.readVersioned(uri))!;
  const lockPath = join(folder, '.pointer.json.lock');
  writeFileSync(lockPath, `${process.pid} someone else`);
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const startMillis = performance.now();
  let error: unknown;
  void localDisk.replaceIfVersion(uri, bytesOf('x'), version).catch((thrown: unknown) => {
    error = thrown;
  });
  while (error === undefined) {
    await vi.advanceTimersByTimeAsync(100);
    // The file system takes its real time.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(error).toMatchObject({ code: 'STORAGE_LOCKED', found: lockPath, retryable: true });
  expect(performance.now() - startMillis).toBeGreaterThanOrEqual(10_000);
  expect((await localDisk.readVersioned(uri))!.version).toBe(version);
});

it('the lock of a living process that lets go in time is taken then', async () => {
  const { version } = (await localDisk.readVersioned(uri))!;
  const lockPath = join(folder, '.pointer.json.lock');
  writeFileSync(lockPath, `${process.pid} someone else`);
  const replacing = localDisk.replaceIfVersion(uri, bytesOf('y'), version);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await localDisk.readVersioned(uri))!.version).toBe(version);
  rmSync(lockPath);
  expect(await replacing).not.toBe(version);
  expect(Buffer.from((await localDisk.readVersioned(uri))!.bytes).toString()).toBe('y');
});
