import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { z } from 'zod';
import { columnOf, isValid } from '../base/arrowColumns.ts';
import { isIdColumn, isIntColumn, isNumberColumn, isStringColumn, readNumbers } from './columnValues.ts';

const columnName = z.string().min(1);

function labelSchema(value: z.ZodType<number>) {
  return z.union([
    columnName,
    z.strictObject({
      /** The column whose values become labels. */
      column: columnName,
      /** The label of each value that the column has, as text; null for an unknown label. */
      values: z
        .record(z.string(), value.nullable())
        .refine((values) => Object.values(values).includes(1), 'gives no value the label 1'),
    }),
  ]);
}

export const clickLabelSchema = labelSchema(z.union([z.literal(0), z.literal(1)]));
export const conversionLabelSchema = labelSchema(z.number().min(0).max(1));

/** A column with labels, or a column and what its values mean. */
export type Label = z.infer<typeof conversionLabelSchema>;

export function labelColumn(label: Label): string {
  return typeof label === 'string' ? label : label.column;
}

/** In words, such as `click` or `event (click = 1, view = 0)`. */
export function labelText(label: Label): string {
  if (typeof label === 'string') return label;
  const values = Object.entries(label.values).map(([value, of]) => `${value} = ${of ?? 'unknown'}`);
  return `${label.column} (${values.join(', ')})`;
}

/** Whether labels can be read from a column. */
export function isLabelColumn(type: DataType, label: Label): boolean {
  return typeof label === 'string' ? isNumberColumn(type) : isIdColumn(type) || isStringColumn(type);
}

export interface LabelNumbers {
  /** Per row; NaN where the label is unknown, or the value has none. */
  readonly numbers: Float64Array;
  /** A row's value if it means no label. */
  readonly valueWithout: (row: number) => string | undefined;
}

/** The labels in a batch; undefined where it lacks the column. */
export function readLabel(batch: RecordBatch, label: Label): LabelNumbers | undefined {
  const data = columnOf(batch, labelColumn(label));
  if (data === undefined) return undefined;
  const numbers = new Float64Array(batch.numRows);
  if (typeof label === 'string') {
    readNumbers(data, 0, batch.numRows, numbers);
    return { numbers, valueWithout: () => undefined };
  }
  const known = new Map(Object.entries(label.values).map(([value, of]) => [value, of ?? Number.NaN]));
  const textOf = valueTexts(data);
  for (let row = 0; row < numbers.length; row++) {
    const text = textOf(row);
    numbers[row] = (text === undefined ? undefined : known.get(text)) ?? Number.NaN;
  }
  return {
    numbers,
    valueWithout: (row) => {
      const text = textOf(row);
      return text === undefined || known.has(text) ? undefined : text;
    },
  };
}

/** The value of a row as text; undefined for null and NaN. */
function valueTexts(data: Data): (row: number) => string | undefined {
  const { type } = data;
  if (isStringColumn(type) && !DataType.isNull(type)) {
    const offsets = data.valueOffsets as Int32Array;
    const bytes = data.values as Uint8Array;
    return (row) =>
      isValid(data, row)
        ? Buffer.from(
            bytes.buffer,
            bytes.byteOffset + offsets[row]!,
            offsets[row + 1]! - offsets[row]!,
          ).toString()
        : undefined;
  }
  const numbers = new Float64Array(data.length);
  readNumbers(data, 0, data.length, numbers);
  const isWhole = isIntColumn(type);
  return (row) => {
    const number = numbers[row]!;
    if (Number.isNaN(number)) return undefined;
    // Beyond 2^53 it might be another one's.
    return isWhole && !Number.isSafeInteger(number) ? `about ${number}` : String(number);
  };
}
