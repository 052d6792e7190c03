import { Ncs4cvrError } from './errors.ts';

/** Files that a report leaves out because they can't be read. Its page names them: none is to pass for one that was never written. */
export class UnreadableFiles {
  readonly #problems: Set<string>;

  /** @param known of what was read before */
  constructor(known: readonly string[] = []) {
    this.#problems = new Set(known);
  }

  /** With code and file, in the order in which they were found. */
  get problems(): string[] {
    return [...this.#problems];
  }

  /**
   * @returns undefined where the file is gone, which is normal, and where it can't be read, which is noted
   * @throws an error that another try may not meet
   */
  attempt = <T>(read: () => Promise<T>): Promise<T | undefined> => this.#attempt(read, false);

  /** As `attempt`, of a file that readers need: that it is gone is noted too. */
  attemptNeeded = <T>(read: () => Promise<T>): Promise<T | undefined> => this.#attempt(read, true);

  async #attempt<T>(read: () => Promise<T>, isNeeded: boolean): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
      if (isNeeded || error.code !== 'STORAGE_NOT_FOUND') this.#problems.add(error.message);
      return undefined;
    }
  }
}
