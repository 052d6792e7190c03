import { type Data, DataType, type RecordBatch } from 'apache-arrow';

/** What is demanded of one column of a shard. */
export interface ColumnRequirement {
  readonly column: string;
  /** False: the shard may lack the column. Its type is checked when it is there. */
  readonly required: boolean;
  readonly accepts: (type: DataType) => boolean;
  /** The accepted types in words, for errors. */
  readonly expected: string;
  /** What may be done about a type that isn't accepted. */
  readonly advice?: (type: DataType) => string | undefined;
}

/** A summary with what may be done, if that is known. */
export function withAdvice(summary: string, advice: string | undefined): string {
  return advice === undefined ? summary : `${summary}: ${advice}`;
}

/**
 * What may be done about values within a list or a map, which no path names; undefined for other types.
 * @param field that is wanted of a list of structs; the first one by default
 */
export function nestedAdvice(column: string, type: DataType, field?: string): string | undefined {
  const where = 'where the shard is written';
  if (DataType.isMap(type)) {
    return `values of a map are no columns; ${where}, make a column of each that matters: ${column}['key']`;
  }
  if (!DataType.isList(type)) return undefined;
  const element = type.children[0]!.type as DataType;
  if (DataType.isList(element)) {
    return `lists within a list are not read; ${where}, make one list of them: flatten(${column})`;
  }
  if (!DataType.isStruct(element)) return undefined;
  const names = element.children.map(({ name }) => name);
  const wanted = names.find((name) => name === field) ?? names[0];
  return (
    `fields of structs in a list are no columns; ${where}, make a list of one field, ` +
    `transform(${column}, x -> x.${wanted}), or a row of each struct, UNNEST(${column})`
  );
}

/** A type as Arrow writes it, but for decimals, whose `Decimal[9e+2]` nobody reads as nine digits, two of them behind the point. */
export function typeText(type: DataType): string {
  return String(type).replace(
    /Decimal\[(\d+)e([+-]?\d+)\]/g,
    (_, digits: string, scale: string) => `Decimal(${digits}, ${Number(scale)})`,
  );
}

/** The data of a batch's column, undefined when it has none of that name: `getChild` would make a vector of it. */
export function columnOf(batch: RecordBatch, name: string): Data | undefined {
  return batch.data.children[batch.schema.fields.findIndex((field) => field.name === name)];
}

/** Indices of values, as wide as they must be. */
export type Indices = Int32Array | Uint16Array | Uint8Array;

/** The values of a column of indices; undefined for any other. */
export function dictionaryOf({ type, dictionary }: Data): Data | undefined {
  return DataType.isDictionary(type) ? (dictionary!.data[0] as Data) : undefined;
}

/** Whether a row has a value. What stands in a column for a row without one means nothing. */
export function isValid(data: Data, row: number): boolean {
  if (DataType.isNull(data.type)) return false;
  const { nullBitmap, nullCount, offset } = data;
  if (nullCount === 0 || nullBitmap === undefined || nullBitmap.length === 0) return true;
  return isBitSet(nullBitmap, offset + row);
}

/** Of bits as Arrow packs them: eight in a byte, the lowest one first. */
export function isBitSet(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1;
}

/**
 * Whether a column can be a row key, which is copied from the shard to the prediction file: types that compare exactly in
 * whatever joins the scores, so neither floats nor decimals. Flat types only: apache-arrow 21.2 refuses a second dictionary
 * in a file and slices string views twice.
 */
export function isRowKeyType(type: DataType): boolean {
  return (
    DataType.isInt(type) ||
    DataType.isUtf8(type) ||
    DataType.isBinary(type) ||
    DataType.isFixedSizeBinary(type) ||
    DataType.isDate(type) ||
    DataType.isTimestamp(type)
  );
}

/** What `isRowKeyType` takes, in words. */
export const ROW_KEY_TYPES = 'an integer, string, bytes, date or timestamp column';
