/** Where in the user's data a problem was found. */
export interface ErrorLocation {
  /** URI of the file, as the user gave it or as the listing found it. */
  readonly file?: string;
  /** Zero-based row group within the file. */
  readonly rowGroup?: number;
  readonly column?: string;
}

export interface ErrorDetails extends ErrorLocation {
  readonly expected?: string;
  readonly found?: string;
  /** True when the same call may succeed later without a change by the user. Default false. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/**
 * Every error this project throws on purpose. `code` is stable: scripts and alarms may match it. Its first word says what the
 * error is about, such as SHARD or PLAN; docs/operations.md has a table of all codes. The message says where the problem is,
 * what was expected and what was found. A kind of error has a class of its own only where callers tell it apart by that.
 */
export class Ncs4cvrError extends Error {
  readonly code: string;
  readonly location: ErrorLocation;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly retryable: boolean;

  constructor(code: string, summary: string, details: ErrorDetails = {}) {
    super(`${code}: ${describeProblem(summary, details)}`, { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.location = {
      ...(details.file === undefined ? {} : { file: details.file }),
      ...(details.rowGroup === undefined ? {} : { rowGroup: details.rowGroup }),
      ...(details.column === undefined ? {} : { column: details.column }),
    };
    this.expected = details.expected;
    this.found = details.found;
    this.retryable = details.retryable ?? false;
  }
}

/** Reading, listing or writing bytes failed. Codes: STORAGE_*. */
export class StorageError extends Ncs4cvrError {}

/** A feature contract is invalid or doesn't fit the data. Codes: CONTRACT_*. */
export class ContractError extends Ncs4cvrError {}

/** Several problems found in one pass, reported at once; `code` is shared by all of them. */
export class ProblemsError extends Ncs4cvrError {
  readonly problems: readonly string[];

  constructor(code: string, summary: string, problems: readonly string[], details: ErrorDetails = {}) {
    super(code, `${summary}\n${problems.map((problem) => `  - ${problem}`).join('\n')}`, details);
    this.problems = problems;
  }
}

function describeProblem(summary: string, { file, rowGroup, column, expected, found }: ErrorDetails): string {
  const place = [
    file,
    rowGroup === undefined ? undefined : `row group ${rowGroup}`,
    column === undefined ? undefined : `column '${column}'`,
  ].filter((text) => text !== undefined);
  const comparison = [
    expected === undefined ? undefined : `expected ${expected}`,
    found === undefined ? undefined : `found ${found}`,
  ].filter((text) => text !== undefined);
  const head = place.length === 0 ? summary : `${place.join(', ')}: ${summary}`;
  return comparison.length === 0 ? head : `${head} (${comparison.join(', ')})`;
}

/** The error's message, or the thrown value as text when it is no Error (WASM and native code throw strings). */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
