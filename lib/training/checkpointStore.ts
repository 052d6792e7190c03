import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';

/** Bytes of a sha256. */
const DIGEST_BYTES = 32;

/**
 * Checkpoints of one run in a folder of its own. A file is the digest of what follows, then V8's serialisation of
 * typed arrays and numbers; it is written whole. One of another run (other config, other data), a damaged one or one of a
 * newer V8 counts as none: the work is done again.
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
    const saved = readable(content);
    return saved?.fingerprint === this.#fingerprint ? saved.value : undefined;
  }

  async save(name: string, value: unknown): Promise<void> {
    const saved: Saved = { fingerprint: this.#fingerprint, value };
    const content = serialize(saved);
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

interface Saved {
  readonly fingerprint: string;
  readonly value: unknown;
}

/** What a newer V8 serialised, an older one refuses: Node may have been taken back since. */
function readable(content: Uint8Array): Saved | undefined {
  try {
    return deserialize(content) as Saved;
  } catch {
    return undefined;
  }
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
