import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StorageError } from '../base/errors.ts';
import { type RetryLaw, retry } from '../base/retry.ts';
import { createDiskFile, forgetTemporary, temporaryPath } from './diskAtomicFile.ts';
import { diskError } from './diskError.ts';
import { versionTag } from './diskFile.ts';
import { makeFolder } from './diskFolder.ts';
import { diskPath } from './uri.ts';

const LOCK_LIMIT_MILLIS = 10_000;
/** A replacement takes a millisecond or so; all that wait are on this machine. */
const LOCK_LAW: RetryLaw = {
  limitMillis: LOCK_LIMIT_MILLIS,
  firstPauseMillis: 5,
  growth: 1,
  longestPauseMillis: 5,
};

/** As `Storage.createIfAbsent`. */
export async function createDiskFileIfAbsent(uri: string, bytes: Uint8Array): Promise<string | undefined> {
  const file = await createDiskFile(uri, { ifAbsent: true });
  try {
    await file.write(bytes);
    return (await file.commit())?.version;
  } catch (error) {
    await file.abort();
    throw diskError(error, uri, 'STORAGE_WRITE_FAILED');
  }
}

/**
 * As `Storage.replaceIfVersion`: compared and renamed under a lock that writers of this file hold, since a file system
 * has no conditional rename. A lock whose process has died is taken over.
 */
export async function replaceDiskFileIfVersion(
  uri: string,
  bytes: Uint8Array,
  version: string,
): Promise<string | undefined> {
  const path = diskPath(uri);
  try {
    const held = await lock(path, uri);
    let temporary: string | undefined;
    try {
      temporary = await writeTemporary(path, bytes);
      if ((await versionOf(path)) !== version || !(await held.isOurs())) return undefined;
      await rename(temporary, path);
      return await versionOf(path);
    } finally {
      if (temporary !== undefined) {
        await rm(temporary, { force: true });
        forgetTemporary(temporary);
      }
      await held.release();
    }
  } catch (error) {
    throw diskError(error, uri, 'STORAGE_WRITE_FAILED');
  }
}

async function versionOf(path: string): Promise<string | undefined> {
  const stats = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  return stats && versionTag(stats);
}

async function writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
  const temporary = temporaryPath(path);
  const handle = await open(temporary, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}

interface HeldLock {
  /** False when it was taken away by mistake: two that find an orphan at the same moment may do that. */
  isOurs(): Promise<boolean>;
  release(): Promise<void>;
}

async function lock(path: string, uri: string): Promise<HeldLock> {
  await makeFolder(dirname(path), uri);
  return retry(() => lockNow(path, uri), LOCK_LAW);
}

/** @throws StorageError STORAGE_LOCKED, retryable, while a process that lives holds it */
async function lockNow(path: string, uri: string): Promise<HeldLock> {
  const lockPath = join(dirname(path), `.${basename(path)}.lock`);
  const token = `${process.pid} ${await startOf(process.pid)} ${randomUUID()}`;
  // Written before it is linked: nobody finds a lock without its owner's name.
  const temporary = await writeTemporary(lockPath, Buffer.from(token));
  try {
    await link(temporary, lockPath);
    const isOurs = async () => (await readFile(lockPath, 'utf8').catch(() => '')) === token;
    const release = async () => {
      if (await isOurs()) await rm(lockPath, { force: true });
    };
    return { isOurs, release };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
    forgetTemporary(temporary);
  }
  const [owner, started] = (await readFile(lockPath, 'utf8').catch(() => '')).split(' ');
  if (owner !== undefined && /^\d+$/.test(owner) && !(await isAlive(Number(owner), started!))) {
    await rm(lockPath, { force: true });
    // At once, however much time this took: nobody held it.
    return lockNow(path, uri);
  }
  throw new StorageError('STORAGE_LOCKED', 'another writer holds the lock', {
    file: uri,
    expected: `the lock within ${LOCK_LIMIT_MILLIS / 1000} s`,
    found: lockPath,
    retryable: true,
  });
}

/**
 * @param started as `startOf` gave it to the owner. Numbers of processes come again, in a container at its next start: another
 * process of that number holds no lock
 */
async function isAlive(processId: number, started: string): Promise<boolean> {
  try {
    process.kill(processId, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await startOf(processId);
  return now === UNKNOWN_START || !/^\d+$/.test(started) || now === started;
}

const UNKNOWN_START = '-';

/** When a process began, in ticks since the system did; where there is no /proc, nobody knows. */
async function startOf(processId: number): Promise<string> {
  const stat = await readFile(`/proc/${processId}/stat`, 'utf8').catch(() => '');
  // The 22nd field; the second one, a name in brackets, may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? UNKNOWN_START;
}
