import { sumOf } from '../base/sumOf.ts';
import { SpareColumns } from './spareColumns.ts';

/** Requests per thread of decoded row groups while another one is begun: its columns take as long as they do. */
const AHEAD_PER_THREAD = 2;

/** The turn of a row group that is decoded for several requests. */
export interface Turn {
  /** To be told of every request that is sent; the last one ends the turn. */
  sent(): void;
  /** Without effect once it has ended. */
  end(): void;
}

/** What the files of a pool share: requests in flight, and the turns and the memory of row groups that are decoded for all threads. */
export class PoolRoom {
  readonly #mostRequests: number;
  readonly #mostAhead: number;
  #heldRequests = 0;
  readonly #turns = new Set<{ readonly requests: number; left: number }>();
  readonly #waiting: (() => void)[] = [];
  readonly spareColumns = new SpareColumns();

  /**
   * @param threads For every two of them there is one request more, whose bytes are read meanwhile: from S3 that takes about a
   * third of its scoring.
   */
  constructor(threads: number) {
    this.#mostRequests = threads + Math.ceil(threads / 2);
    this.#mostAhead = AHEAD_PER_THREAD * threads;
  }

  /** Requests sent and not yet written out, over all files: each may hold its rows in memory. */
  get heldRequests(): number {
    return this.#heldRequests;
  }

  /** Whether a file that has requests in flight may send one more. */
  get hasRoom(): boolean {
    return this.#heldRequests < this.#mostRequests;
  }

  hold(): void {
    this.#heldRequests++;
  }

  release(count = 1): void {
    if (count === 0) return;
    this.#heldRequests -= count;
    this.#tell();
  }

  /** Row groups that have their turn, over all files. */
  get turns(): number {
    return this.#turns.size;
  }

  /**
   * Whether the row groups that have their turn keep the threads busy for no longer than decoding another one takes. Besides a
   * single one, these are small: memory doesn't grow with the number of files.
   */
  get isTurnFree(): boolean {
    const [first, ...others] = this.#turns;
    if (first === undefined) return true;
    if (others.length === 0) return first.left <= this.#mostAhead;
    return sumOf([first, ...others], ({ requests }) => requests) <= this.#mostAhead;
  }

  /** To be called while a turn is free. @param requests of the row group */
  takeTurn(requests: number): Turn {
    const turn = { requests, left: requests };
    this.#turns.add(turn);
    const end = () => {
      if (this.#turns.delete(turn)) this.#tell();
    };
    const sent = () => {
      turn.left--;
      if (turn.left === 0) end();
      else this.#tell();
    };
    return { sent, end };
  }

  /** Resolves when there may be more room, or a turn, from now on. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
