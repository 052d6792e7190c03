import { sumOf } from '../base/sumOf.ts';
import { readRowGroups } from './readRowGroups.ts';
import type { ReadRowGroup, RequestedRowGroup } from './requestedRowGroup.ts';

/** Row groups with their bytes, on their way to a thread. */
export interface RowGroupsAhead {
  readonly rowGroups: readonly ReadRowGroup[];
  /** Makes room for others. To be called once a thread has the bytes, or nobody wants them any more. */
  readonly release: () => void;
}

interface Waiting {
  readonly sizeBytes: number;
  readonly start: () => void;
}

/**
 * Reads the bytes of requests while the threads are busy with those before them: from a store as slow as S3 a request's bytes
 * take as long as a third of its scoring. Holds no more than so many bytes, those being read included, or one request that is
 * larger.
 */
export class ReadAhead {
  readonly #mostBytes: number;
  #heldBytes = 0;
  readonly #waiting: Waiting[] = [];

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Reads in the order of the calls, as room allows. @throws StorageError, that of the first row group at fault */
  async read(rowGroups: readonly RequestedRowGroup[]): Promise<RowGroupsAhead> {
    const sizeBytes = sumOf(rowGroups, ({ reads, buffer }) => (buffer ? 0 : reads.bufferBytes));
    await new Promise<void>((start) => {
      this.#waiting.push({ sizeBytes, start });
      this.#admit();
    });
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      this.#heldBytes -= sizeBytes;
      this.#admit();
    };
    try {
      return { rowGroups: await readRowGroups(rowGroups), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#heldBytes > 0 && this.#heldBytes + next.sizeBytes > this.#mostBytes) return;
      this.#waiting.shift();
      this.#heldBytes += next.sizeBytes;
      next.start();
    }
  }
}
