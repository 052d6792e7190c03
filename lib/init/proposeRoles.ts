import { Ncs4cvrError } from '../base/errors.ts';
import { didYouMean } from '../base/nearestName.ts';
import type { Label } from '../features/labelValues.ts';
import { type ColumnSample, ownName, PANDAS_INDEX, plainName } from './columnSample.ts';
import { labelByValues, parseNamedLabel, spelt } from './namedLabel.ts';
import type { ShardSample } from './sampleShards.ts';

/** Columns that the user has named, which are never guessed. */
export interface GivenRoles {
  readonly click?: string | undefined;
  readonly conversion?: string | undefined;
  readonly keys?: readonly string[] | undefined;
}

/** What no feature may be: the labels, and the columns that name a row. */
export interface ColumnRoles {
  readonly click: LabelRole;
  readonly conversion: LabelRole;
  readonly user: ColumnSample | undefined;
  readonly keys: readonly ColumnSample[];
  /** Whether no two sampled rows have the same key. */
  readonly areKeysUnique: boolean;
  /** Sampled rows that are equal to an earlier one in every column, as those of a shard that was written twice; 0 where the keys don't tell the others apart either. */
  readonly copies: number;
}

/** A column that says what happened to a row. */
interface LabelRole {
  readonly column: ColumnSample;
  /** 0, 1, a share or null of every sampled row. */
  readonly values: ColumnSample['values'];
  /** As in a training config. */
  readonly label: Label;
}

const CLICK_NAME = /^(is_?|has_?|label_?)?(click|clicked|clk|ctr_label)(_?label)?$/i;
/** The nearest to money first. */
const CONVERSION_NAMES = [
  /^(is_?|has_?|label_?)?(conversion|conversions|converted|convert|conv|cvr_label)(_?label)?$/i,
  /^(is_?|has_?|label_?)?(purchase|purchased|bought|buy|order|ordered|paid|pay|booking|booked)(_?label)?$/i,
  /^(is_?|has_?|label_?)?(install|installed|signup|subscribed?|engage|engaged|long_?view|play_rate|cart|add_to_cart)(_?label)?$/i,
];
const YES = /^(y|yes|t|true|1)$/i;
const NO = /^(n|no|f|false|0)$/i;
/** Of a column that is no label. */
const SHOWN_VALUES = 5;
/** A column of more values tells more than what happened. */
const MOST_EVENTS = 30;
const USER_NAME =
  /^(hashed_?|anon(ymous)?_?)?(user|member|customer|guest|viewer|visitor|account|uid|device(?=_?(id|hash|key|uuid)))(_?(id|hash|key|uuid))?$/i;
const KEY_NAME = /^(impression|imp|request|event|log|row|record|sample|exposure)?_?(id|uuid|key)$/i;
const PART_OF_KEY =
  /(^|_)(user|member|customer|guest|viewer|visitor|request|session|item|video|product|hotel|listing|offer|ad|campaign|creative|article|doc)(_?id)?$|(^|_)(search|query|page)_?id$|(^|_)(position|rank|slot|index|idx|no|nr|number|seq)$|(time|timestamp|ts)(_ms|_s)?$/i;

/**
 * Takes what was named and guesses the rest by names and values.
 * @throws Ncs4cvrError INIT_NO_LABEL, INIT_NO_KEY, INIT_NO_COLUMN: each says which option names it
 */
export function proposeRoles({ columns, input }: ShardSample, given: GivenRoles): ColumnRoles {
  const named = (name: string, option: string): ColumnSample => {
    const found = columns.find((column) => column.name === name);
    if (found !== undefined && found.unreadable === undefined) return found;
    const names = columns.map((column) => column.name);
    const summary = `--${option} names no column that can be read${didYouMean(name, names)}`;
    throw new Ncs4cvrError('INIT_NO_COLUMN', summary, {
      file: input,
      column: name,
      expected: `one of ${names.join(', ')}`,
      found: found?.unreadable ?? 'no such column',
    });
  };
  const guess = (patterns: readonly RegExp[], task: 'click' | 'conversion'): LabelRole => {
    for (const pattern of patterns) {
      const found = columns.find((column) => pattern.test(plainName(column)) && labelRole(column, task));
      if (found !== undefined) return labelRole(found, task)!;
    }
    const byValues = columns.map((column) => eventRole(column, task)).find((role) => role !== undefined);
    if (byValues !== undefined) return byValues;
    const candidates = columns
      .filter((column) => isLabel(column) || answerRole(column))
      .map(({ name }) => name);
    throw new Ncs4cvrError(
      'INIT_NO_LABEL',
      `no column is known to be the ${task} label: name it with --${task}`,
      {
        file: input,
        expected: 'a column of 0 and 1, such as click or purchase',
        found:
          candidates.length === 0
            ? 'no column of 0 and 1 at all'
            : `columns that could be are ${candidates.join(', ')}`,
      },
    );
  };
  const labelled = (text: string, task: 'click' | 'conversion'): LabelRole => {
    const names = columns.map(({ name }) => name);
    const given = parseNamedLabel(text, names);
    const column = named(given.name, task);
    if (text !== column.name) return labelByValues(column, given, task, input);
    const role = labelRole(column, task);
    if (role !== undefined) return role;
    const seen = [...column.counts.keys()].slice(0, SHOWN_VALUES).map((value) => JSON.stringify(value));
    throw new Ncs4cvrError('INIT_NO_LABEL', `its values don't say whether there was a ${task}`, {
      ...{ file: input, column: text },
      expected: `numbers from 0 to 1, booleans, or words such as yes and no; or say what each value means, 1 for a ${task}: ${spelt(column, task)}`,
      found: `${column.type}, ${seen.length === 0 ? 'null in every sampled row' : `such as ${seen.join(', ')}`}`,
    });
  };
  const click = given.click === undefined ? guess([CLICK_NAME], 'click') : labelled(given.click, 'click');
  const conversion =
    given.conversion === undefined
      ? guess(CONVERSION_NAMES, 'conversion')
      : labelled(given.conversion, 'conversion');
  const distinct = distinctRows(columns);
  const keys =
    given.keys?.map((name) => refuseNoKey(named(name, 'keys'), input)) ??
    guessKeys(columns, [click.column, conversion.column], distinct, input);
  return {
    click,
    conversion,
    user: columns.find(
      (column) => USER_NAME.test(plainName(column)) && (isIds(column) || column.kind === 'string'),
    ),
    keys,
    areKeysUnique: areUnique(keys, allRows(columns)),
    copies: areUnique(keys, distinct) ? allRows(columns).length - distinct.length : 0,
  };
}

/** undefined for a column whose values are no labels. */
function labelRole(column: ColumnSample, task: 'click' | 'conversion'): LabelRole | undefined {
  return isLabel(column) ? roleOf(column) : (eventRole(column, task) ?? answerRole(column));
}

/** A column of text that answers with two words or more, all of them known here. */
function answerRole(column: ColumnSample): LabelRole | undefined {
  const { kind, counts, values, name } = column;
  const answers = [...counts.keys()].map(String);
  const isAnswer = (answer: string) => YES.test(answer) || NO.test(answer);
  if (kind !== 'string' || !answers.every(isAnswer) || !answers.some((answer) => YES.test(answer)))
    return undefined;
  const label = Object.fromEntries(answers.sort().map((answer) => [answer, YES.test(answer) ? 1 : 0]));
  const mapped = values.map((value) => (value === null ? null : label[String(value)]!));
  return { column, values: mapped, label: { column: name, values: label } as Label };
}

const isLabel = (column: ColumnSample) => isBinary(column) || isShare(column);

function roleOf(column: ColumnSample): LabelRole {
  return { column, values: column.values, label: column.name };
}

/** A column of text whose values name a click, or a conversion and what else may come of a click; undefined for any other. */
function eventRole(column: ColumnSample, task: 'click' | 'conversion'): LabelRole | undefined {
  const { kind, counts, values, name } = column;
  if (kind !== 'string' || counts.size < 2 || counts.size > MOST_EVENTS) return undefined;
  const events = [...counts.keys()].map(String).sort();
  const clicks = events.filter((event) => CLICK_NAME.test(event));
  const named = CONVERSION_NAMES.map((pattern) => events.filter((event) => pattern.test(event)));
  const converted = named.find((found) => found.length > 0) ?? [];
  // What is bought was clicked, whichever word the row has for it.
  const positive = task === 'click' ? [...clicks, ...named.flat()] : converted;
  if (clicks.length === 0 || positive.length === 0) return undefined;
  const label = Object.fromEntries(events.map((event) => [event, positive.includes(event) ? 1 : 0]));
  const mapped = values.map((value) => (value === null ? null : label[String(value)]!));
  if (new Set(mapped.filter((value) => value !== null)).size < 2) return undefined;
  return { column, values: mapped, label: { column: name, values: label } as Label };
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

/** Integers, or whole numbers that pandas or a warehouse has put down in another way. */
export function isIds({ kind, counts }: ColumnSample): boolean {
  if (kind === 'integer') return true;
  return (
    kind === 'float' && counts.size > 0 && [...counts.keys()].every((value) => Number.isSafeInteger(value))
  );
}

export function isBinary({ counts, kind }: ColumnSample): boolean {
  const isNumber = kind === 'integer' || kind === 'float';
  return isNumber && counts.size > 0 && [...counts.keys()].every((value) => value === 0 || value === 1);
}

/** A soft label, such as the share of a video that was watched. */
function isShare({ counts, kind }: ColumnSample): boolean {
  return (
    kind === 'float' &&
    counts.size > 1 &&
    [...counts.keys()].every((value) => Number(value) >= 0 && Number(value) <= 1)
  );
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
    return seen.add(columns.map(({ values }) => values[row]).join('\u0000')).size > size;
  });
}

function combinations<Item>(items: readonly Item[], size: number): Item[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    combinations(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}
