import { Ncs4cvrError } from './errors.ts';

/** What a report does without though it is there: its page names each, lest it pass for what was never written. */
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
   * Undefined for what is gone, which is as it should be, and for what can't be read, which is kept; what may be there in a moment
   * is an error.
   */
  attempt = <T>(read: () => Promise<T>): Promise<T | undefined> => this.#attempt(read, false);

  /** As `attempt` of what readers need: that it is gone is kept too. */
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
