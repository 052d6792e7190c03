import { Ncs4cvrError } from '../base/errors.ts';

/** What a report does without though it is there: its page names each, lest it pass for what was never written. */
export class UnreadableFiles {
  readonly #problems = new Set<string>();

  /** With code and file, in the order in which they were found. */
  get problems(): string[] {
    return [...this.#problems];
  }

  /**
   * Undefined for what is gone, which is as it should be, and for what can't be read, which is kept; what may be there in a moment
   * is an error.
   */
  attempt = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
      if (error.code !== 'STORAGE_NOT_FOUND') this.#problems.add(error.message);
      return undefined;
    }
  };
}
