import type { DataType, RecordBatch } from 'apache-arrow';
import { z } from 'zod';
import { type ColumnRequirement, columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { isIntColumn, isNumberColumn, isStringColumn, isValid, readNumbers } from './columnValues.ts';

export const labelColumnsSchema = z.strictObject({
  /** Column with the label of P(click | impression): 0 or 1. */
  click: z.string().min(1),
  /** Column with the label of P(conversion | click), in [0, 1]; only read where click is 1. */
  conversion: z.string().min(1),
  /** Column that groups rows by user, for GAUC. */
  user: z.string().min(1).optional(),
});

/** Which columns of a labelled shard hold the labels. */
export type LabelColumns = z.infer<typeof labelColumnsSchema>;

export interface Labels {
  /** 0 or 1 per row. */
  readonly click: Uint8Array;
  /** In [0, 1]; 0 where click is 0. */
  readonly conversion: Float32Array;
}

/** Where a batch comes from, for errors. */
export interface BatchPlace {
  /** URI of the shard. */
  readonly file: string;
  readonly rowGroup: number;
  /** The batch's first row, counted from the start of the shard. */
  readonly rowStart: number;
}

export function labelRequirements(labels: LabelColumns): ColumnRequirement[] {
  const number = { required: true, accepts: isNumberColumn, expected: 'a number column (label)' };
  const user = {
    required: true,
    accepts: (type: DataType) => isIntColumn(type) || isStringColumn(type),
    expected: 'an integer or string column (user)',
  };
  return [
    { column: labels.click, ...number },
    { column: labels.conversion, ...number },
    ...(labels.user === undefined ? [] : [{ column: labels.user, ...user }]),
  ];
}

/**
 * Reads the labels of a batch; a conversion is only looked at where the row was clicked.
 * @throws Ncs4cvrError SHARD_LABEL_INVALID for a click other than 0 or 1, or a clicked row's conversion outside [0, 1]
 */
export function readLabels(batch: RecordBatch, labels: LabelColumns, place: BatchPlace): Labels {
  const rowCount = batch.numRows;
  const clicks = numbersOf(batch, labels.click, place.file);
  const conversions = numbersOf(batch, labels.conversion, place.file);
  const click = new Uint8Array(rowCount);
  const conversion = new Float32Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const clicked = clicks[row]!;
    if (clicked !== 0 && clicked !== 1) throw invalidLabel(place, labels.click, row, '0 or 1', clicked);
    click[row] = clicked;
    if (clicked === 0) continue;
    const value = conversions[row]!;
    // Written so that NaN (a null) fails too.
    if (!(value >= 0 && value <= 1)) throw invalidLabel(place, labels.conversion, row, '0 to 1', value);
    conversion[row] = value;
  }
  return { click, conversion };
}

/** The user of every row as a grouping key; rows without a user get null. */
export function readUsers(batch: RecordBatch, column: string): (string | number | bigint | null)[] {
  const data = columnOf(batch, column);
  const vector = batch.getChild(column);
  return Array.from({ length: batch.numRows }, (_, row) => {
    if (data === undefined || !isValid(data, row)) return null;
    const value: unknown = vector?.get(row);
    return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : (value as string | bigint);
  });
}

function numbersOf(batch: RecordBatch, column: string, file: string): Float64Array {
  const data = columnOf(batch, column);
  if (data === undefined) {
    throw new Ncs4cvrError('SHARD_COLUMN_MISSING', 'the label is missing', { file, column });
  }
  const numbers = new Float64Array(batch.numRows);
  readNumbers(data, 0, batch.numRows, numbers);
  return numbers;
}

function invalidLabel(
  { file, rowGroup, rowStart }: BatchPlace,
  column: string,
  row: number,
  expected: string,
  found: number,
): Ncs4cvrError {
  return new Ncs4cvrError('SHARD_LABEL_INVALID', `row ${rowStart + row} of the shard has no usable label`, {
    file,
    rowGroup,
    column,
    expected,
    found: Number.isNaN(found) ? 'null or NaN' : String(found),
  });
}
