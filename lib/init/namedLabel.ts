import { Ncs4cvrError } from '../base/errors.ts';
import { shellQuoted } from '../base/shellWord.ts';
import type { Task } from '../base/tasks.ts';
import type { Label } from '../features/labelValues.ts';
import type { ColumnSample } from './columnSample.ts';

/** A column that says what happened to a row. */
export interface LabelRole {
  readonly column: ColumnSample;
  /** 0, 1, a share or null of every sampled row. */
  readonly values: ColumnSample['values'];
  /** As in a training config. */
  readonly label: Label;
}

/** A column whose values become labels, as a user has named it. */
interface NamedLabel {
  readonly name: string;
  /** The label of each value, null for unknown; undefined where the column alone was named. */
  readonly values?: ReadonlyMap<string, number | null>;
  /** What is wrong with the values that were named. */
  readonly problem?: string;
}

/** A column of more values is not spelt out. */
const MOST_SPELT = 12;

/**
 * Takes what `--click` or `--conversion` says apart: a column, or `COLUMN=VALUE:LABEL,VALUE:LABEL`. Names of columns may hold
 * `=`, and values `:`.
 * @param columns names of those that there are
 */
export function parseNamedLabel(text: string, columns: readonly string[]): NamedLabel {
  if (columns.includes(text)) return { name: text };
  const ends = [...text.matchAll(/=/g)].map(({ index }) => index);
  const end = ends.findLast((at) => columns.includes(text.slice(0, at))) ?? ends[0];
  if (end === undefined) return { name: text };
  const values = new Map<string, number | null>();
  const name = text.slice(0, end);
  for (const piece of text.slice(end + 1).split(',')) {
    const [, value, written] = /^(.*):\s*([^:]*)$/s.exec(piece) ?? [];
    const label = written === 'null' ? null : written === '' ? Number.NaN : Number(written);
    if (value === undefined || (label !== null && !(label >= 0 && label <= 1)))
      return { name, problem: `'${piece}', which is no VALUE:LABEL with a label from 0 to 1, or null` };
    values.set(value.trim(), label);
  }
  return { name, values };
}

/**
 * What the sampled rows say by a label whose values were named.
 * @throws Ncs4cvrError INIT_NO_LABEL
 */
export function labelByValues(
  column: ColumnSample,
  { values, problem }: NamedLabel,
  task: Task,
  file: string,
): LabelRole {
  const refuse = (found: string) =>
    new Ncs4cvrError('INIT_NO_LABEL', `its values aren't all named as ${task} labels`, {
      ...{ file, column: column.name, found },
      expected: `such as ${spelt(column, task)}`,
    });
  if (values === undefined) throw refuse(problem ?? 'no values');
  const unnamed = [...column.counts.keys()].map(String).filter((value) => !values.has(value));
  if (unnamed.length > 0) throw refuse(`no label for ${unnamed.slice(0, MOST_SPELT).join(', ')}`);
  const isSoft = [...values.values()].some((label) => label !== null && label !== 0 && label !== 1);
  if (task === 'click' && isSoft) throw refuse('a click that is neither 0 nor 1');
  if (![...values.values()].includes(1)) throw refuse('no value with the label 1');
  return roleByValues(column, values);
}

/** @param labels of every value, as text, that was sampled */
export function roleByValues(column: ColumnSample, labels: ReadonlyMap<string, number | null>): LabelRole {
  return {
    column,
    values: column.values.map((value) => (value === null ? null : labels.get(String(value))!)),
    label: { column: column.name, values: Object.fromEntries(labels) },
  };
}

/** The option that names every value, for a shell; which of them means 1 only the user knows. */
export function spelt({ name, counts }: ColumnSample, task: Task): string {
  const values = [...counts.keys()].map(String).sort().slice(0, MOST_SPELT);
  const labels = values.map((value, index) => `${value}:${index === values.length - 1 ? 1 : 0}`);
  const more = counts.size > values.length ? ',...' : '';
  return `--${task} ${shellQuoted(`${name}=${labels.join(',')}${more}`)}`;
}
