import { type Data, DataType, DateUnit, type RecordBatch, Vector } from 'apache-arrow';
import { columnOf, isValid } from '../base/arrowColumns.ts';
import { DAY_MILLIS } from '../base/calendarDay.ts';
import { isIntColumn, isNumberColumn, readNumbers } from '../features/columnValues.ts';
import { type FeatureContract, featureName } from '../features/contract.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureEncoder } from '../features/featureEncoder.ts';

/** What the encoder made of a value. */
export type EncodedInput =
  /** Local ids of the feature's table or buckets, from 1; 0 stands for missing and for unseen. */
  | { readonly kind: 'id'; readonly id: number }
  /** Of the list values in use, those that training has seen. */
  | { readonly kind: 'ids'; readonly ids: readonly number[] }
  /** After clip, log1p and standardising; 0 when it is missing. */
  | { readonly kind: 'number'; readonly value: number };

export interface DescribedInput {
  readonly feature: string;
  readonly kind: FeatureContract['features'][number]['kind'];
  readonly column: string;
  /** As text; null for a null. */
  readonly raw: string | null;
  /** False where the shard lacks the column: every value is missing then. */
  readonly isInShard: boolean;
  /** Null, listed as a missing value, or no number; of a list without any value. */
  readonly isMissing: boolean;
  /** How many of its values training never saw; at most 1 but for lists. */
  readonly unseen: number;
  readonly encoded: EncodedInput;
}

/**
 * Encodes one row as scoring does, and tells of every feature what it was and what it became, in the contract's order.
 * @param into its first row is overwritten
 */
export function describeInputs(
  contract: FeatureContract,
  encoder: FeatureEncoder,
  batch: RecordBatch,
  row: number,
  into: EncodedRows,
): DescribedInput[] {
  for (const counts of encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });
  encoder.encode(batch, row, row + 1, into, 0);
  const counted = new Map(encoder.counts.map((counts) => [counts.name, counts]));
  const encoded = encodedOf(encoder, into);
  return contract.features.map((feature) => {
    const name = featureName(feature);
    const { missing, unseen } = counted.get(name)!;
    const data = columnOf(batch, feature.column);
    return {
      feature: name,
      kind: feature.kind,
      column: feature.column,
      raw: data === undefined ? null : rawText(data, row),
      isInShard: data !== undefined,
      isMissing: missing > 0,
      unseen,
      encoded: encoded.get(name)!,
    };
  });
}

function encodedOf({ layout }: FeatureEncoder, rows: EncodedRows): Map<string, EncodedInput> {
  const { singleRows, listRows, listWeights, dense } = rows;
  return new Map<string, EncodedInput>([
    ...layout.singles.map(({ name, table }, index): [string, EncodedInput] => [
      name,
      { kind: 'id', id: singleRows[index]! - table.rowStart },
    ]),
    ...layout.lists.map(({ name, table, position, feature }): [string, EncodedInput] => {
      const used = [...listRows.subarray(position, position + feature.maxLength)].filter(
        (_, at) => listWeights[position + at]! > 0,
      );
      return [name, { kind: 'ids', ids: used.map((id) => id - table.rowStart) }];
    }),
    ...layout.numerics.map(({ name }, index): [string, EncodedInput] => [
      name,
      { kind: 'number', value: dense[2 * index]! },
    ]),
  ]);
}

/** A value as text: numbers in full, bytes as text, those of one length in hexadecimal digits, times in UTC, lists in brackets. */
function rawText(data: Data, row: number): string | null {
  if (!isValid(data, row)) return null;
  const { type } = data;
  if (DataType.isList(type)) {
    const offsets = data.valueOffsets as Int32Array;
    const child = data.children[0]!;
    const values = Array.from(
      { length: offsets[row + 1]! - offsets[row]! },
      (_, index) => rawText(child, offsets[row]! + index) ?? 'null',
    );
    return `[${values.join(', ')}]`;
  }
  if (isNumberColumn(type) && !isIntColumn(type)) {
    const number = new Float64Array(1);
    readNumbers(data, row, row + 1, number);
    return String(number[0]);
  }
  if (DataType.isDate(type) || DataType.isTimestamp(type)) return momentText(data, row);
  const value: unknown = new Vector([data]).get(row);
  if (!(value instanceof Uint8Array)) return String(value);
  return Buffer.from(value).toString(DataType.isFixedSizeBinary(type) ? 'hex' : 'utf8');
}

/** As ISO 8601 writes it; the column's whole number beyond the years of Date, where Arrow's vectors throw. */
function momentText({ type, values }: Data, row: number): string {
  const stored = (values as Int32Array | BigInt64Array)[row]!;
  const isDay = DataType.isDate(type) && type.unit === DateUnit.DAY;
  const millisPerUnit = isDay ? DAY_MILLIS : DataType.isTimestamp(type) ? 1000 / 1000 ** type.unit : 1;
  const time = new Date(Number(stored) * millisPerUnit);
  return Number.isNaN(time.getTime()) ? String(stored) : time.toISOString();
}
