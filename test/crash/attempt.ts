import { AsyncLocalStorage } from 'node:async_hooks';
import { linkSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import type { AtomicFile, RandomAccessFile, Storage } from '../../lib/storage/storage.ts';
import { diskPath, uriScheme } from '../../lib/storage/uri.ts';

export interface AttemptOptions {
  /** Number of the storage call that it dies at, from 0; it lives on by default. */
  readonly dieAt?: number;
  /** Whether that call is carried out before the death. */
  readonly when?: 'before' | 'after';
  /** What a call throws instead of being carried out; the attempt lives on. */
  readonly fail?: (name: string, uri: string, call: number) => Error | undefined;
  /** Waited for before every call: what interleaves attempts. */
  readonly turn?: () => Promise<void>;
  /** Told of every call that was carried out. */
  readonly onCarriedOut?: (name: string, uri: string, call: number) => unknown;
  /** How far its clock is ahead. */
  readonly skewMillis?: number;
}

/** What is thrown in an attempt that has died: no code, so that nobody tries again. */
class AttemptDied extends Error {}

const attempts = new AsyncLocalStorage<Attempt>();

/**
 * One execution of a command within this process, as if it were a process of its own: its storage calls are counted, and from its
 * death on none of them does anything, cleaning up included. Everything that runs outside of an attempt is left alone.
 */
export class Attempt {
  calls = 0;
  isDead = false;
  readonly skewMillis: number;
  readonly #options: AttemptOptions;
  readonly #inFlight = new Set<Promise<unknown>>();

  constructor(options: AttemptOptions = {}) {
    this.#options = options;
    this.skewMillis = options.skewMillis ?? 0;
  }

  /** Ends when the command has, and every storage call that it had begun. */
  async run<T>(command: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
    const ended = await attempts.run(this, () =>
      command().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
    );
    while (this.#inFlight.size > 0) await new Promise((resolve) => setImmediate(resolve));
    return ended;
  }

  /** @param drop what is to become of a result that a dead process doesn't get */
  async call<T>(
    name: string,
    uri: string,
    work: () => Promise<T>,
    drop?: (result: T) => Promise<unknown>,
  ): Promise<T> {
    const { dieAt, when, fail, turn, onCarriedOut } = this.#options;
    if (this.isDead) throw new AttemptDied();
    await turn?.();
    if (this.isDead) throw new AttemptDied();
    const call = this.calls++;
    if (call === dieAt) this.isDead = true;
    if (call === dieAt && when === 'before') throw new AttemptDied();
    const failure = fail?.(name, uri, call);
    if (failure !== undefined) throw failure;
    const working = work();
    this.#inFlight.add(working);
    try {
      const result = await working;
      await onCarriedOut?.(name, uri, call);
      if (!this.isDead) return result;
      await drop?.(result);
    } finally {
      this.#inFlight.delete(working);
    }
    throw new AttemptDied();
  }
}

const URI_CALLS = [
  'stat',
  'list',
  'listFolders',
  'readWhole',
  'readVersioned',
  'createIfAbsent',
  'replaceIfVersion',
  'exists',
  'remove',
  'removeFolder',
] as const;

/**
 * Puts attempts between the code and its storage, on disk and in S3, and between the code and the clock.
 * @returns takes them out again
 */
export function watchStorage(): () => void {
  const undo = [localDisk, s3Storage].map(watch);
  const now = Date.now;
  Date.now = () => now() + (attempts.getStore()?.skewMillis ?? 0);
  return () => {
    Date.now = now;
    for (const each of undo) each();
  };
}

function watch(storage: Storage): () => void {
  const real = { ...storage };
  const watched: Partial<Record<keyof Storage, unknown>> = {
    open: async (...args: Parameters<Storage['open']>) => {
      const attempt = attempts.getStore();
      if (attempt === undefined) return real.open(...args);
      const opened = await attempt.call(
        'open',
        args[0],
        () => real.open(...args),
        (file) => file.close(),
      );
      return watchedReads(opened, attempt);
    },
    createAtomic: async (...args: Parameters<Storage['createAtomic']>) => {
      const attempt = attempts.getStore();
      if (attempt === undefined) return real.createAtomic(...args);
      const file = await attempt.call('createAtomic', args[0], () => real.createAtomic(...args), leaveBehind);
      return watchedFile(file, attempt);
    },
  };
  for (const name of URI_CALLS) {
    const call = real[name] as (uri: string, ...rest: unknown[]) => Promise<unknown>;
    watched[name] = (uri: string, ...rest: unknown[]) => {
      const attempt = attempts.getStore();
      return attempt === undefined ? call(uri, ...rest) : attempt.call(name, uri, () => call(uri, ...rest));
    };
  }
  Object.assign(storage, watched);
  return () => Object.assign(storage, real);
}

function watchedReads(file: RandomAccessFile, attempt: Attempt): RandomAccessFile {
  const { uri, sizeBytes, version } = file;
  return {
    uri,
    sizeBytes,
    version,
    readInto: (target, startByte) => attempt.call('readInto', uri, () => file.readInto(target, startByte)),
    // The system does this for a process that has died.
    close: () => file.close(),
  };
}

function watchedFile(file: AtomicFile, attempt: Attempt): AtomicFile {
  const { uri } = file;
  return {
    uri,
    write: (bytes) => attempt.call('write', uri, () => file.write(bytes)),
    commit: () => attempt.call('commit', uri, () => file.commit()),
    abort: async () => (attempt.isDead ? leaveBehind(file) : attempt.call('abort', uri, () => file.abort())),
  };
}

/** A dead process removes no temporary file: it stays, under another such name, while this process closes it. */
async function leaveBehind(file: AtomicFile): Promise<void> {
  // What S3 has of an unfinished upload, its bucket's lifecycle rule ends.
  if (uriScheme(file.uri) === 's3') return;
  const path = diskPath(file.uri);
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`.${basename(path)}.`) && name.endsWith('.tmp') && !name.endsWith('.left.tmp')) {
      linkSync(join(folder, name), join(folder, name.replace(/tmp$/, 'left.tmp')));
    }
  }
  await file.abort();
}
