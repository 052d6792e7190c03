import { Ncs4cvrError } from '../base/errors.ts';
import { counted } from '../base/formatCount.ts';
import { type ColumnSample, ownName, PANDAS_INDEX, plainName } from './columnSample.ts';
import { namedColumn } from './namedColumn.ts';

/** The columns that name a row. */
export interface KeyRoles {
  readonly keys: readonly ColumnSample[];
  /** Whether no two sampled rows have the same key. */
  readonly areKeysUnique: boolean;
  /** Sampled rows that are equal to an earlier one in every column, as those of a shard that was written twice; 0 where the keys don't tell the others apart either. */
  readonly copies: number;
}

const KEY_NAME =
  /^((impression|imp|request|event|log|row|record|sample|exposure)(_?(id|uuid|key))?|_?(id|uuid|key))$/i;
const PART_OF_KEY =
  /(^|_)(user|member|customer|guest|viewer|visitor|request|session|item|video|product|hotel|listing|offer|ad|campaign|creative|article|doc)(_?id)?$|(^|_)(search|query|page)_?id$|(^|_)(position|rank|slot|index|idx|no|nr|number|seq)$|(time|timestamp|ts)(_ms|_s)?$/i;

/**
 * @param given what `--keys` says; guessed by names and values without it
 * @param labels which are never keys
 * @throws Ncs4cvrError INIT_NO_KEY, INIT_NO_COLUMN
 */
export function findKeys(
  columns: readonly ColumnSample[],
  given: readonly string[] | undefined,
  labels: readonly ColumnSample[],
  file: string,
): KeyRoles {
  const all = allRows(columns);
  const distinct = distinctRows(columns);
  const keys =
    given?.map((name) => refuseNoKey(namedColumn(columns, name, 'keys', file), file)) ??
    guessKeys(columns, labels, distinct, file);
  return {
    keys,
    areKeysUnique: areUnique(keys, all),
    copies: areUnique(keys, distinct) ? all.length - distinct.length : 0,
  };
}

/** What is to be said of keys that were asked for though sampled rows lack them; '' of others. None is guessed. */
export function keyNullsText(keys: readonly ColumnSample[]): string {
  const lacking = keys.filter(({ nulls }) => nulls > 0);
  if (lacking.length === 0) return '';
  const of = lacking
    .map(({ name, nulls }) => `${name} is null in ${counted(nulls, 'sampled row')}`)
    .join(', ');
  return `${of}: a run refuses rows without a key, unless the job leaves them out (badRows)`;
}

/** @throws Ncs4cvrError INIT_NO_KEY */
function refuseNoKey(column: ColumnSample, file: string): ColumnSample {
  if (column.canBeKey) return column;
  const cast = `CAST(${ownName(column)} AS BIGINT) or CAST(${ownName(column)} AS VARCHAR)`;
  const summary =
    column.kind === 'float'
      ? `floats and decimals are no keys to join scores by: write ${cast}`
      : 'a column of this type is no key to join scores by';
  throw new Ncs4cvrError('INIT_NO_KEY', summary, {
    ...{ file, column: column.name, found: column.type },
    expected: 'an integer, string, date or timestamp column',
  });
}

/** One column that names the rows if there is one, else the fewest of those that usually do together. @param rows to be told apart */
function guessKeys(
  columns: readonly ColumnSample[],
  labels: readonly ColumnSample[],
  rows: readonly number[],
  file: string,
): ColumnSample[] {
  const isUnique = (keys: readonly ColumnSample[]) => areUnique(keys, rows);
  const candidates = columns.filter(
    (column) =>
      column.canBeKey && column.nulls === 0 && !PANDAS_INDEX.test(column.name) && !labels.includes(column),
  );
  const byName = (pattern: RegExp) => candidates.filter((column) => pattern.test(plainName(column)));
  const single = byName(KEY_NAME).find((column) => isUnique([column]));
  if (single !== undefined) return [single];
  const parts = byName(PART_OF_KEY).slice(0, 8);
  for (const size of [1, 2, 3]) {
    const found = combinations(parts, size).find(isUnique);
    if (found !== undefined) return found;
  }
  const unique = candidates.find((column) => isUnique([column]));
  if (unique !== undefined) return [unique];
  if (parts.length > 0) return parts.slice(0, 3);
  // A few rows without a key hide the column that all others are named by.
  const withNulls = columns.flatMap(({ name, canBeKey, nulls, counts }) =>
    canBeKey && nulls > 0 && counts.size > 0 && KEY_NAME.test(plainName({ name }))
      ? [`${name} with ${nulls} nulls`]
      : [],
  );
  throw new Ncs4cvrError('INIT_NO_KEY', 'no columns are known to name the rows: name them with --keys', {
    file,
    expected: 'integer, string, date or timestamp columns without nulls, such as request_id and item_id',
    found: [...candidates.map(({ name }) => name), ...withNulls].join(', ') || 'none of such a type',
  });
}

function areUnique(keys: readonly ColumnSample[], rows: readonly number[]): boolean {
  return firstOfEach(keys, rows).length === rows.length;
}

/** A shard that lies there twice would else hide the column that names its rows. */
function distinctRows(columns: readonly ColumnSample[]): number[] {
  return firstOfEach(
    columns.filter(({ unreadable }) => unreadable === undefined),
    allRows(columns),
  );
}

function allRows(columns: readonly ColumnSample[]): number[] {
  const count = columns.find(({ unreadable }) => unreadable === undefined)?.values.length ?? 0;
  return Array.from({ length: count }, (_, row) => row);
}

/** The first row of each combination of values. */
function firstOfEach(columns: readonly ColumnSample[], rows: readonly number[]): number[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const { size } = seen;
    return seen.add(JSON.stringify(columns.map(({ whole }) => whole[row]))).size > size;
  });
}

function combinations<Item>(items: readonly Item[], size: number): Item[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    combinations(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}
