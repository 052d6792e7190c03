import { parquetWriteBuffer } from 'hyparquet-writer';
import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import type { DeadLetterBudget } from '../job/badRows.ts';
import type { BadSpanCell } from '../scoring/scoreSpans.ts';
import { storageFor } from '../storage/openStorage.ts';
import { pathSchema, shardPathSchema } from '../storage/uri.ts';
import { below, deadLettersPath } from './outputLayout.ts';
import type { Part } from './part.ts';
import { shardUri } from './span.ts';

/** A value for which a row isn't scored. */
export const deadLetterSchema = z.strictObject({
  /** As in a span. */
  shard: shardPathSchema,
  rowGroup: z.int().min(0),
  /** From the row group's first row. */
  row: z.int().min(0),
  column: z.string(),
  reason: z.enum(['KEY_NULL', 'TEXT_NOT_UTF8', 'TIMESTAMP_RANGE']),
  /** As text; null where there is none. */
  value: z.string().nullable(),
});
export type DeadLetter = Readonly<z.infer<typeof deadLetterSchema>>;

/** Rows of a part that aren't scored. */
export const deadLettersSchema = z.strictObject({
  /** Each counts once, however many of its columns are bad. */
  rows: z.int().min(1),
  /** Of each span of the part: rows of it that aren't in the part's file. */
  spanRows: z.array(z.int().min(0)).readonly(),
  /** Of the Parquet file that names them all, below the output root. */
  path: pathSchema,
  sizeBytes: z.int().min(1),
  sha256: z.string(),
  /** The first of them, without their values. */
  examples: z.array(deadLetterSchema.omit({ value: true })).readonly(),
});
export type DeadLetters = Readonly<z.infer<typeof deadLettersSchema>>;

/** As much of a part as says which rows its file holds. */
type PartWithDeadLetters = Pick<Part, 'rows' | 'spans'> & { readonly deadLetters: DeadLetters | null };

/** The part's rows and those of its spans as its file has them, without dead letters. */
export function asScored<P extends PartWithDeadLetters>(part: P): P {
  const { rows, spans, deadLetters } = part;
  if (deadLetters === null) return part;
  const scored = spans.map((span, index) => ({ ...span, rows: span.rows - deadLetters.spanRows[index]! }));
  return { ...part, rows: rows - deadLetters.rows, spans: scored };
}

const EXAMPLES = 3;

/**
 * Dead letters of a part as they come: in the order of its rows. Holds no more rows than the budget of a partition has: a part
 * that has more can't be published, whatever the others have.
 */
export class DeadLetterCollector {
  readonly #part: Part;
  readonly #inputUri: string;
  readonly #budget: DeadLetterBudget;
  readonly #letters: DeadLetter[] = [];
  #rows = 0;

  constructor(part: Part, inputUri: string, budget: DeadLetterBudget) {
    this.#part = part;
    this.#inputUri = inputUri;
    this.#budget = budget;
  }

  get letters(): readonly DeadLetter[] {
    return this.#letters;
  }

  /** @throws Ncs4cvrError PUBLISH_DEAD_LETTERS */
  addCells(cells: readonly BadSpanCell[]): void {
    const letterOf = ({ span, rowGroup, row, column, reason, value }: BadSpanCell): DeadLetter => {
      return { shard: this.#part.spans[span]!.shard, rowGroup, row, column, reason, value };
    };
    this.add(cells.map(letterOf));
  }

  /** @throws Ncs4cvrError PUBLISH_DEAD_LETTERS */
  add(letters: readonly DeadLetter[]): void {
    for (const letter of letters) {
      const before = this.#letters.at(-1);
      if (before === undefined || !isSameRow(before, letter)) this.#rows++;
      this.#letters.push(letter);
      if (this.#rows <= this.#budget.maxRows) continue;
      const { shard, rowGroup, row, column, reason } = letter;
      throw new Ncs4cvrError(DEAD_LETTERS_CODE, "too many rows of one part alone can't be scored", {
        ...{ file: shardUri(this.#inputUri, shard), rowGroup, column },
        expected: `at most ${this.#budget.maxRows} in the whole partition`,
        found: `one more, row ${row} (${reason}); the first: ${this.#letters.slice(0, EXAMPLES).map(describeDeadLetter).join('; ')}`,
      });
    }
  }
}

/** Begins what is said of rows beyond the budget. */
const DEAD_LETTERS_CODE = 'PUBLISH_DEAD_LETTERS';

function isSameRow(a: DeadLetter, b: DeadLetter): boolean {
  return a.row === b.row && a.rowGroup === b.rowGroup && a.shard === b.shard;
}

/**
 * Writes a part's dead letters, unless they are there: the same rows give the same bytes.
 * @param letters in the order of the rows
 * @returns null without any
 */
export async function writeDeadLetters(
  root: string,
  partition: string,
  { partId, spans }: Part,
  letters: readonly DeadLetter[],
): Promise<DeadLetters | null> {
  if (letters.length === 0) return null;
  const path = deadLettersPath(partition, partId);
  const uri = below(root, path);
  const encoded = encodeDeadLetters(letters);
  const created = await storageFor(uri).createIfAbsent(uri, encoded);
  // Another release of the writer may have left other bytes of the same rows.
  const bytes = created === undefined ? await storageFor(uri).readWhole(uri) : encoded;
  const rows = letters.filter((letter, index) => index === 0 || !isSameRow(letters[index - 1]!, letter));
  return {
    rows: rows.length,
    spanRows: spans.map(({ shard, firstRowGroup, endRowGroup }) => {
      const isIn = (letter: DeadLetter) =>
        letter.shard === shard && letter.rowGroup >= firstRowGroup && letter.rowGroup < endRowGroup;
      return rows.filter(isIn).length;
    }),
    path,
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    examples: letters.slice(0, EXAMPLES).map(({ value: _, ...example }) => example),
  };
}

/** @returns Parquet with the columns shard, row_group, row, column, reason and value */
function encodeDeadLetters(letters: readonly DeadLetter[]): Uint8Array {
  const text = (name: string, data: (string | null)[], nullable = false) => {
    return { name, data, type: 'STRING' as const, nullable };
  };
  const buffer = parquetWriteBuffer({
    columnData: [
      text(
        'shard',
        letters.map(({ shard }) => shard),
      ),
      { name: 'row_group', data: letters.map(({ rowGroup }) => rowGroup), type: 'INT32', nullable: false },
      { name: 'row', data: letters.map(({ row }) => BigInt(row)), type: 'INT64', nullable: false },
      text(
        'column',
        letters.map(({ column }) => column),
      ),
      text(
        'reason',
        letters.map(({ reason }) => reason),
      ),
      text(
        'value',
        letters.map(({ value }) => value),
        true,
      ),
    ],
  });
  return new Uint8Array(buffer);
}

/** What isn't scored of a partition. */
export interface LeftOutRows {
  readonly rows: number;
  /** Paths of the files that name them, below the output root. */
  readonly files: readonly string[];
}

export function leftOutRows(parts: readonly { readonly deadLetters: DeadLetters | null }[]): LeftOutRows {
  const letters = parts.flatMap(({ deadLetters }) => deadLetters ?? []);
  return {
    rows: letters.reduce((sum, { rows }) => sum + rows, 0),
    files: letters.map(({ path }) => path),
  };
}

/** Files that are named in one line. */
const NAMED_FILES = 3;

/** In one line, for operators. */
export function describeLeftOut({ rows, files }: LeftOutRows, root: string): string {
  const named = files.slice(0, NAMED_FILES).map((path) => below(root, path));
  const more = files.length > NAMED_FILES ? ` and ${files.length - NAMED_FILES} more files` : '';
  return `${rows} ${rows === 1 ? "row that isn't" : "rows that aren't"} scored, see ${named.join(', ')}${more}`;
}

/**
 * What stands against publishing a partition without these rows.
 * @param budget undefined where no row may be left out
 */
export function refuseBeyondBudget(
  root: string,
  parts: readonly PartWithDeadLetters[],
  budget: DeadLetterBudget | undefined,
): readonly string[] {
  const leftOut = leftOutRows(parts);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { maxRows, maxShare } = budget ?? { maxRows: 0, maxShare: 0 };
  // Divided, not multiplied: 57 of 100 rows are a share of 0.57 exactly.
  if (leftOut.rows === 0 || (leftOut.rows <= maxRows && leftOut.rows / rows <= maxShare)) return [];
  const examples = parts
    .flatMap(({ deadLetters }) => deadLetters?.examples ?? [])
    .slice(0, EXAMPLES)
    .map(describeDeadLetter);
  const allowed = budget === undefined ? 'none' : `${maxRows} rows and a share of ${maxShare}`;
  return [
    `${DEAD_LETTERS_CODE}: of ${rows} rows, ${describeLeftOut(leftOut, root)}: the job allows ${allowed}; ` +
      `the first: ${examples.join('; ')}`,
  ];
}

function describeDeadLetter({ shard, rowGroup, row, column, reason }: Omit<DeadLetter, 'value'>): string {
  return `${shard}, row group ${rowGroup}, row ${row}, column '${column}': ${reason}`;
}
