/** Ends a turn; without effect after the first call. */
export type EndTurn = () => void;

/** What the files of a pool share: requests in flight, and the turn of a row group that is decoded for all threads. */
export class PoolRoom {
  readonly #mostRequests: number;
  #heldRequests = 0;
  #isTurnTaken = false;
  readonly #waiting: (() => void)[] = [];

  constructor(mostRequests: number) {
    this.#mostRequests = mostRequests;
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

  get isTurnFree(): boolean {
    return !this.#isTurnTaken;
  }

  /**
   * The turn of a row group that is decoded for all threads. Of two at a time each thread would encode the dictionaries anew
   * with nearly every request, which took a fifth of two threads' CPU, and both would be in memory.
   * @returns undefined where another one has it
   */
  takeTurn(): EndTurn | undefined {
    if (this.#isTurnTaken) return undefined;
    this.#isTurnTaken = true;
    let isEnded = false;
    return () => {
      if (isEnded) return;
      isEnded = true;
      this.#isTurnTaken = false;
      this.#tell();
    };
  }

  /** Resolves when a request or a turn ends from now on. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
