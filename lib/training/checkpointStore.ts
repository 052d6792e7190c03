import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';

/** Bytes of a sha256. */
const DIGEST_BYTES = 32;

/**
 * Checkpoints of one run in a folder of its own. A file is the digest of what follows, then V8's serialisation of
 * typed arrays and numbers; it is written whole. One of another run (other config, other data) or a damaged one counts
 * as none: the work is done again.
 */
export class CheckpointStore {
  readonly #folder: string;
  readonly #fingerprint: string;

  /** @param fingerprint of everything that decides the weights */
  constructor(folder: string, fingerprint: string) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
  }

  async load(name: string): Promise<unknown> {
    const file = this.#file(name);
    const storage = storageFor(file);
    if (!(await storage.exists(file))) return undefined;
    const bytes = await storage.readWhole(file);
    const content = bytes.subarray(DIGEST_BYTES);
    if (!digest(content).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
    const { fingerprint, value } = deserialize(content) as { fingerprint: string; value: unknown };
    return fingerprint === this.#fingerprint ? value : undefined;
  }

  async save(name: string, value: unknown): Promise<void> {
    const content = serialize({ fingerprint: this.#fingerprint, value });
    await writeWhole(this.#file(name), Buffer.concat([digest(content), content]));
  }

  /** Removes all checkpoints: the run is done. */
  async clear(): Promise<void> {
    await storageFor(this.#folder).removeFolder(this.#folder);
  }

  #file(name: string): string {
    return joinUri(this.#folder, `${name}.checkpoint`);
  }
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
