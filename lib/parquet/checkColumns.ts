import type { DataType } from 'apache-arrow';
import { type ColumnRequirement, nestedAdvice, withAdvice } from '../base/arrowColumns.ts';
import { Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { didYouMean, plainName } from '../base/nearestName.ts';
import type { ParquetShard } from './openShard.ts';

/** How many of a shard's columns an error lists. */
const LISTED_COLUMNS = 12;

/**
 * Checks a shard's schema against the columns that are wanted from it.
 *
 * @returns the optional columns that the shard lacks
 * @throws Ncs4cvrError SHARD_COLUMN_MISSING or SHARD_COLUMN_TYPE when one column is at fault; ProblemsError SHARD_COLUMNS with
 * all problems when there are several
 */
export function checkColumns(
  shard: Pick<ParquetShard, 'uri' | 'schema' | 'unreadableColumns'>,
  wanted: readonly ColumnRequirement[],
): ReadonlySet<string> {
  const types = new Map<string, DataType>(shard.schema.fields.map(({ name, type }) => [name, type]));
  const absent = new Set<string>();
  const problems: Problem[] = [];
  const names = [...types.keys(), ...shard.unreadableColumns.keys()];
  for (const { column, required, accepts, expected, advice } of wanted) {
    const type = types.get(column);
    const unreadable = shard.unreadableColumns.get(column);
    if (type !== undefined) {
      if (!accepts(type)) {
        problems.push({
          code: 'SHARD_COLUMN_TYPE',
          summary: withAdvice('wrong type', advice?.(type)),
          column,
          expected,
          found: String(type),
        });
      }
      continue;
    }
    if (unreadable !== undefined) {
      problems.push({
        code: 'SHARD_COLUMN_TYPE',
        summary: 'the column cannot be read',
        column,
        expected,
        found: unreadable,
      });
      continue;
    }
    // Wanted twice, such as for a feature and a row key: it is one column to correct.
    if (problems.some((problem) => problem.column === column)) continue;
    // A path into a list is a mistake even where shards may lack the column: no shard can ever have it.
    const within = adviceWithin(column, types);
    if (required || within !== undefined) {
      const summary = `no such column${within === undefined ? didYouMean(column, names) : `: ${within}`}`;
      problems.push({ code: 'SHARD_COLUMN_MISSING', summary, column, expected });
    } else {
      absent.add(column);
    }
  }
  report(shard.uri, problems, names);
  return absent;
}

/** What may be done about a path that leads into a list or a map; undefined for any other. */
function adviceWithin(path: string, types: ReadonlyMap<string, DataType>): string | undefined {
  const names = path.split('.');
  for (let depth = names.length - 1; depth > 0; depth--) {
    const outer = names.slice(0, depth).join('.');
    const type = types.get(outer);
    if (type != null) return nestedAdvice(outer, type, names.at(-1));
  }
  return undefined;
}

interface Problem {
  readonly code: string;
  readonly summary: string;
  readonly column: string;
  readonly expected: string;
  /** Absent for a missing column. */
  readonly found?: string;
}

function report(file: string, problems: readonly Problem[], names: readonly string[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) {
    const { code, summary, column, expected, found = listColumns(names, column) } = first;
    throw new Ncs4cvrError(code, summary, { file, column, expected, found });
  }
  const lines = problems.map(({ code, summary, column, expected, found }) => {
    const comparison = found === undefined ? `expected ${expected}` : `expected ${expected}, found ${found}`;
    return `${code}: column '${column}': ${summary} (${comparison})`;
  });
  const missing = problems.find(({ found }) => found === undefined);
  throw new ProblemsError('SHARD_COLUMNS', `${problems.length} columns cannot be used`, lines, {
    file,
    ...(missing === undefined ? {} : { found: `columns ${listColumns(names, missing.column)}` }),
  });
}

/** The shard's column names, shortened; names that differ from `wanted` only in case or punctuation come first. */
function listColumns(names: readonly string[], wanted: string): string {
  if (names.length === 0) return 'no columns';
  const alike = names.filter((name) => plainName(name) === plainName(wanted));
  const listed = [...alike, ...names.filter((name) => !alike.includes(name))].slice(0, LISTED_COLUMNS);
  const rest = names.length - listed.length;
  return `${listed.map((name) => `'${name}'`).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
