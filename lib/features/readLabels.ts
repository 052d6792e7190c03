import { DataType, type RecordBatch } from 'apache-arrow';
import { z } from 'zod';
import { type ColumnRequirement, columnOf, isValid } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { didYouMean } from '../base/nearestName.ts';
import { UNKNOWN_CLICK } from '../base/tasks.ts';
import { isIdColumn, isStringColumn, unscaledDecimal } from './columnValues.ts';
import {
  clickLabelSchema,
  conversionLabelSchema,
  isLabelColumn,
  type Label,
  type LabelNumbers,
  labelColumn,
  readLabel,
} from './labelValues.ts';

export const labelColumnsSchema = z.strictObject({
  /** Column with the label of P(click | impression): 0 or 1; null where it is unknown. */
  click: clickLabelSchema,
  /** Column with the label of P(conversion | click), in [0, 1]; only used where click is 1, null there for unknown. */
  conversion: conversionLabelSchema,
  /** How long a conversion may take, such as `3d`: those of younger days are unknown. Needs a split by date. */
  matureAfter: z
    .string()
    .regex(/^[1-9]\d{0,3}d$/, 'a number of days, such as 3d')
    .optional(),
  /** Column that groups rows by user, for the GAUC of `evaluate` and `compare`. */
  user: z.string().min(1).optional(),
});

/** Which columns of a labelled shard hold the labels. */
export type LabelColumns = z.infer<typeof labelColumnsSchema>;

export interface Labels {
  /** 0, 1 or UNKNOWN_CLICK per row. */
  readonly click: Uint8Array;
  /** In [0, 1], or NaN where it is unknown; 0 where click isn't 1. */
  readonly conversion: Float32Array;
  readonly counts: LabelCounts;
}

/** What the labels of some rows were; counts of two sets of rows add up. */
export const labelCountsSchema = z.strictObject({
  rows: z.int().min(0),
  clicks: z.int().min(0),
  /** Rows with a null click: they have no label at all. */
  unknownClicks: z.int().min(0),
  /** Sum of the known conversions of clicked rows. */
  conversions: z.number().min(0),
  /** Clicked rows with a null conversion. */
  unknownConversions: z.int().min(0),
  /** Clicked rows that are too young for their conversion, whatever it says, null ones among them. */
  immatureConversions: z.int().min(0),
  /** Rows with a conversion above 0 and a click of 0: the conversion is ignored. */
  conversionsWithoutClick: z.int().min(0),
});
export type LabelCounts = z.infer<typeof labelCountsSchema>;

export function addLabelCounts(a: LabelCounts, b: LabelCounts): LabelCounts {
  const sums = Object.keys(a).map((key) => [key, a[key as keyof LabelCounts] + b[key as keyof LabelCounts]]);
  return Object.fromEntries(sums) as LabelCounts;
}

export const NO_LABELS: LabelCounts = {
  rows: 0,
  clicks: 0,
  unknownClicks: 0,
  conversions: 0,
  unknownConversions: 0,
  immatureConversions: 0,
  conversionsWithoutClick: 0,
};

/** Where a batch comes from, for errors. */
export interface BatchPlace {
  /** URI of the shard. */
  readonly file: string;
  readonly rowGroup: number;
  /** The batch's first row, counted from the start of the shard. */
  readonly rowStart: number;
}

export function labelRequirements(labels: LabelColumns): ColumnRequirement[] {
  const ofLabel = (label: Label): ColumnRequirement => ({
    column: labelColumn(label),
    required: true,
    accepts: (type) => isLabelColumn(type, label),
    expected: `${typeof label === 'string' ? 'a number' : 'an integer or string'} column (label)`,
    advice: (type) =>
      isStringColumn(type)
        ? 'text becomes a label by {"column": ..., "values": {"click": 1, "view": 0}}'
        : undefined,
  });
  const user = {
    required: true,
    accepts: (type: DataType) => isIdColumn(type) || isStringColumn(type) || DataType.isFixedSizeBinary(type),
    expected: 'an integer or string column (user)',
  };
  return [
    ofLabel(labels.click),
    ofLabel(labels.conversion),
    ...(labels.user === undefined ? [] : [{ column: labels.user, ...user }]),
  ];
}

/**
 * Reads the labels of a batch; a conversion is only taken where the row was clicked. Null and NaN are unknown labels.
 * @param isMature false for rows whose conversions may yet come: all of them are unknown then
 * @throws Ncs4cvrError SHARD_LABEL_INVALID for a click other than 0 or 1, a clicked row's conversion outside [0, 1], or a
 * value that the config gives no label
 */
export function readLabels(
  batch: RecordBatch,
  labels: LabelColumns,
  place: BatchPlace,
  isMature = true,
): Labels {
  const rowCount = batch.numRows;
  const readClicks = labelsOf(batch, labels.click, place.file);
  const readConversions = labelsOf(batch, labels.conversion, place.file);
  const [clicks, conversions] = [readClicks.numbers, readConversions.numbers];
  const click = new Uint8Array(rowCount);
  const conversion = new Float32Array(rowCount);
  const counts = { ...NO_LABELS, rows: rowCount };
  for (let row = 0; row < rowCount; row++) {
    const clicked = clicks[row]!;
    const value = conversions[row]!;
    if (Number.isNaN(clicked)) {
      refuseUnlisted(readClicks, row, labels.click, place);
      click[row] = UNKNOWN_CLICK;
      counts.unknownClicks++;
      continue;
    }
    if (clicked !== 0 && clicked !== 1)
      throw invalidLabel(place, labelColumn(labels.click), row, '0 or 1', clicked);
    click[row] = clicked;
    if (clicked === 0) {
      if (value > 0) counts.conversionsWithoutClick++;
      continue;
    }
    counts.clicks++;
    if (Number.isNaN(value)) refuseUnlisted(readConversions, row, labels.conversion, place);
    if (value < 0 || value > 1)
      throw invalidLabel(place, labelColumn(labels.conversion), row, '0 to 1', value);
    conversion[row] = isMature ? value : Number.NaN;
    if (!isMature) counts.immatureConversions++;
    else if (Number.isNaN(value)) counts.unknownConversions++;
    else counts.conversions += value;
  }
  return { click, conversion, counts };
}

/**
 * The user of every row as a grouping key; rows without a user get null. One user has one key, whether a shard has integers, floats
 * or decimals: pandas makes floats of integers as soon as one is null.
 */
export function readUsers(batch: RecordBatch, column: string): (string | number | bigint | null)[] {
  const data = columnOf(batch, column);
  const vector = batch.getChild(column);
  return Array.from({ length: batch.numRows }, (_, row) => {
    if (data === undefined || !isValid(data, row)) return null;
    const value: unknown = DataType.isDecimal(data.type) ? unscaledDecimal(data, row) : vector?.get(row);
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    return Number.isNaN(value) ? null : (value as string | number);
  });
}

function labelsOf(batch: RecordBatch, label: Label, file: string): LabelNumbers {
  const found = readLabel(batch, label);
  if (found !== undefined) return found;
  const names = batch.schema.fields.map(({ name }) => name);
  const summary = `the label is missing${didYouMean(labelColumn(label), names)}`;
  throw new Ncs4cvrError('SHARD_COLUMN_MISSING', summary, {
    file,
    column: labelColumn(label),
  });
}

/** Values that an error names. */
const MOST_VALUES = 10;

/** @throws Ncs4cvrError SHARD_LABEL_INVALID with the values from this row on that the config gives no label */
function refuseUnlisted(
  { numbers, valueWithout }: LabelNumbers,
  row: number,
  label: Label,
  place: BatchPlace,
): void {
  if (typeof label === 'string' || valueWithout(row) === undefined) return;
  const values = new Set<string>();
  for (let each = row; each < numbers.length && values.size <= MOST_VALUES; each++) {
    const value = valueWithout(each);
    if (value !== undefined) values.add(JSON.stringify(value));
  }
  const listed = [...values].slice(0, MOST_VALUES).join(', ');
  throw invalidLabel(
    ...([place, label.column, row] as const),
    `one of ${Object.keys(label.values)
      .map((value) => JSON.stringify(value))
      .join(', ')}`,
    values.size > MOST_VALUES ? `${listed} and more` : listed,
  );
}

function invalidLabel(
  { file, rowGroup, rowStart }: BatchPlace,
  column: string,
  row: number,
  expected: string,
  found: number | string,
): Ncs4cvrError {
  return new Ncs4cvrError('SHARD_LABEL_INVALID', `row ${rowStart + row} of the shard has no usable label`, {
    file,
    rowGroup,
    column,
    expected,
    found: String(found),
  });
}
