import { type Data, DataType, DateUnit, type Field, type Timestamp, TimeUnit } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { isValid, ROW_KEY_TYPES } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';

export type ParquetValue = number | bigint | Uint8Array | null;

/** A column of a prediction file, as Parquet has it. */
export interface ParquetColumn {
  readonly name: string;
  readonly element: SchemaElement;
  /** Appends all values of a batch's column to a list; bytes are views of the batch's memory. */
  appendTo(values: ParquetValue[], data: Data): void;
}

/** How a type is written: its marks in the schema, and what stands for a value. */
interface Encoding {
  readonly element: Omit<SchemaElement, 'name' | 'repetition_type'>;
  valuesOf(data: Data): (row: number) => ParquetValue;
}

/**
 * Row keys keep their type, nullability and values bit by bit, with three exceptions that Parquet has no type for: a time in
 * seconds and a date in milliseconds become a timestamp in milliseconds, and of a time zone it is only kept that there is one.
 * @throws Ncs4cvrError PREDICTION_KEY_UNSUPPORTED for a type that no prediction file has
 */
export function parquetColumn({ name, type, nullable }: Field): ParquetColumn {
  const encoding = encodingOf(type);
  if (encoding === undefined) {
    throw new Ncs4cvrError('PREDICTION_KEY_UNSUPPORTED', 'a column of this type can not be a row key', {
      column: name,
      expected: ROW_KEY_TYPES,
      found: String(type),
    });
  }
  return {
    name,
    element: { name, repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED', ...encoding.element },
    appendTo(values, data) {
      const valueAt = encoding.valuesOf(data);
      for (let row = 0; row < data.length; row++) values.push(isValid(data, row) ? valueAt(row) : null);
    },
  };
}

function encodingOf(type: DataType): Encoding | undefined {
  if (DataType.isFloat(type)) return { element: { type: 'FLOAT' }, valuesOf: asTheyAre };
  if (DataType.isInt(type)) {
    // As converted types: hyparquet-writer 0.17 writes the logical one with a bit width that readers refuse.
    const isMarked = !type.isSigned || type.bitWidth < 32;
    const mark = `${type.isSigned ? 'INT' : 'UINT'}_${type.bitWidth}` as const;
    return {
      element: { type: type.bitWidth === 64 ? 'INT64' : 'INT32', ...(isMarked && { converted_type: mark }) },
      valuesOf: asTheyAre,
    };
  }
  if (DataType.isUtf8(type)) {
    return { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, valuesOf: bytesByOffsets };
  }
  if (DataType.isBinary(type)) return { element: { type: 'BYTE_ARRAY' }, valuesOf: bytesByOffsets };
  if (DataType.isFixedSizeBinary(type)) {
    const { byteWidth } = type;
    return {
      element: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: byteWidth },
      valuesOf: ({ values }) => {
        return (row) => (values as Uint8Array).subarray(row * byteWidth, (row + 1) * byteWidth);
      },
    };
  }
  if (DataType.isDate(type)) {
    if (type.unit === DateUnit.MILLISECOND) return timestamp('MILLIS', false, asTheyAre);
    return { element: { type: 'INT32', converted_type: 'DATE' }, valuesOf: asTheyAre };
  }
  return DataType.isTimestamp(type) ? timestampOf(type) : undefined;
}

function timestampOf({ unit, timezone }: Timestamp): Encoding {
  const isUtc = timezone !== null && timezone !== undefined;
  switch (unit) {
    case TimeUnit.SECOND:
      return timestamp(
        'MILLIS',
        isUtc,
        ({ values }) =>
          (row) =>
            1000n * (values as BigInt64Array)[row]!,
      );
    case TimeUnit.MILLISECOND:
      return timestamp('MILLIS', isUtc, asTheyAre);
    case TimeUnit.MICROSECOND:
      return timestamp('MICROS', isUtc, asTheyAre);
    case TimeUnit.NANOSECOND:
      return timestamp('NANOS', isUtc, asTheyAre);
  }
}

function timestamp(
  unit: 'MILLIS' | 'MICROS' | 'NANOS',
  isAdjustedToUTC: boolean,
  valuesOf: Encoding['valuesOf'],
): Encoding {
  return { element: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC, unit } }, valuesOf };
}

function asTheyAre({ values }: Data): (row: number) => ParquetValue {
  return (row) => (values as Int32Array | BigInt64Array)[row]!;
}

function bytesByOffsets({ values, valueOffsets }: Data): (row: number) => ParquetValue {
  return (row) => (values as Uint8Array).subarray(valueOffsets[row], valueOffsets[row + 1]);
}
