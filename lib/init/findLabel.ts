import { Ncs4cvrError } from '../base/errors.ts';
import type { Task } from '../base/tasks.ts';
import { type ColumnSample, isBinary, plainName } from './columnSample.ts';
import { namedColumn } from './namedColumn.ts';
import { type LabelRole, labelByValues, parseNamedLabel, roleByValues, spelt } from './namedLabel.ts';

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

/**
 * The column that says whether there was a click, or a conversion.
 * @param given what `--click` or `--conversion` says; guessed by names and values without it
 * @throws Ncs4cvrError INIT_NO_LABEL, INIT_NO_COLUMN
 */
export function findLabel(
  columns: readonly ColumnSample[],
  given: string | undefined,
  task: Task,
  file: string,
): LabelRole {
  return given === undefined ? guessLabel(columns, task, file) : givenLabel(columns, given, task, file);
}

function guessLabel(columns: readonly ColumnSample[], task: Task, file: string): LabelRole {
  const names = task === 'click' ? [CLICK_NAME] : CONVERSION_NAMES;
  for (const pattern of names) {
    const found = columns.find((column) => pattern.test(plainName(column)) && labelRole(column, task));
    if (found !== undefined) return labelRole(found, task)!;
  }
  const byValues = columns.map((column) => eventRole(column, task)).find((role) => role !== undefined);
  if (byValues !== undefined) return byValues;
  const candidates = columns
    .filter((column) => isLabel(column) || answerRole(column))
    .map(({ name }) => name);
  const byName = columns.filter((column) => names.some((pattern) => pattern.test(plainName(column))));
  const unusable = byName.map((column) => `${column.name} (${describeValues(column)})`);
  const others =
    candidates.length === 0
      ? 'no column of 0 and 1 at all'
      : `columns that could be are ${candidates.join(', ')}`;
  throw new Ncs4cvrError(
    'INIT_NO_LABEL',
    `no column is known to be the ${task} label: name it with --${task}`,
    {
      file,
      expected: 'a column of 0 and 1, such as click or purchase',
      found: [...unusable, others].join('; '),
    },
  );
}

function givenLabel(columns: readonly ColumnSample[], text: string, task: Task, file: string): LabelRole {
  const names = columns.map(({ name }) => name);
  const given = parseNamedLabel(text, names);
  const column = namedColumn(columns, given.name, task, file);
  if (text !== column.name) return labelByValues(column, given, task, file);
  const role = labelRole(column, task);
  if (role !== undefined) return role;
  throw new Ncs4cvrError('INIT_NO_LABEL', `its values don't say whether there was a ${task}`, {
    ...{ file, column: text },
    expected: `numbers from 0 to 1, booleans, or words such as yes and no; or say what each value means, 1 for a ${task}: ${spelt(column, task)}`,
    found: describeValues(column),
  });
}

/** Of a column that is no label. */
function describeValues({ type, counts }: ColumnSample): string {
  const seen = [...counts.keys()].slice(0, SHOWN_VALUES).map((value) => JSON.stringify(value));
  return `${type}, ${seen.length === 0 ? 'null in every sampled row' : `such as ${seen.join(', ')}`}`;
}

/** undefined for a column whose values are no labels. */
function labelRole(column: ColumnSample, task: Task): LabelRole | undefined {
  if (isLabel(column)) return { column, values: column.values, label: column.name };
  return eventRole(column, task) ?? answerRole(column);
}

const isLabel = (column: ColumnSample) => isBinary(column) || isShare(column);

/** A soft label, such as the share of a video that was watched. */
function isShare({ counts, kind }: ColumnSample): boolean {
  return (
    kind === 'float' &&
    counts.size > 1 &&
    [...counts.keys()].every((value) => Number(value) >= 0 && Number(value) <= 1)
  );
}

/** A column of text that answers with two words or more, all of them known here. */
function answerRole(column: ColumnSample): LabelRole | undefined {
  const { kind, counts } = column;
  const answers = [...counts.keys()].map(String);
  const isAnswer = (answer: string) => YES.test(answer) || NO.test(answer);
  if (kind !== 'string' || !answers.every(isAnswer) || !answers.some((answer) => YES.test(answer)))
    return undefined;
  return roleByValues(column, new Map(answers.sort().map((answer) => [answer, YES.test(answer) ? 1 : 0])));
}

/** A column of text whose values name a click, or a conversion and what else may come of a click; undefined for any other. */
function eventRole(column: ColumnSample, task: Task): LabelRole | undefined {
  const { kind, counts } = column;
  if (kind !== 'string' || counts.size < 2 || counts.size > MOST_EVENTS) return undefined;
  const events = [...counts.keys()].map(String).sort();
  const clicks = events.filter((event) => CLICK_NAME.test(event));
  const named = CONVERSION_NAMES.map((pattern) => events.filter((event) => pattern.test(event)));
  const converted = named.find((found) => found.length > 0) ?? [];
  // What is bought was clicked, whichever word the row has for it.
  const positive = task === 'click' ? [...clicks, ...named.flat()] : converted;
  if (clicks.length === 0 || positive.length === 0) return undefined;
  const labels = new Map(events.map((event) => [event, positive.includes(event) ? 1 : 0]));
  const role = roleByValues(column, labels);
  return new Set(role.values.filter((value) => value !== null)).size < 2 ? undefined : role;
}
