import { BufferType, type Data, DataType, RecordBatch } from 'apache-arrow';
import { dictionaryOf, type Indices, isBitSet, isValid } from '../base/arrowColumns.ts';

/** Some rows of a batch, in their order, as if the others had never been there: columns of the types that scoring reads. */
export function gatherRows({ schema, data }: RecordBatch, rows: Int32Array): RecordBatch {
  const children = data.children.map((column) => gathered(column, rows));
  return new RecordBatch(schema, data.clone(data.type, 0, rows.length, 0, undefined, children));
}

/** Stands for a value of zeros, or without any bytes. */
const NO_PLACE = -1;

/** The same column with its values in place of a dictionary's indices: of types that features and row keys can have. */
export function withoutDictionary(column: Data): Data {
  const values = dictionaryOf(column);
  if (values === undefined) return column;
  const indices = column.values as Indices;
  const places = indices instanceof Int32Array ? indices : new Int32Array(indices);
  if (column.nullCount === 0) return gathered(values, places);
  const validity = validityBits(column.length, (row) => isValid(column, row));
  // Under a null there is nothing, whatever the dictionary begins with: the bytes of a file follow from its rows alone.
  const ofNulls = places.map((place, row) => (isValid(column, row) ? place : NO_PLACE));
  return gathered(values, ofNulls, validity);
}

/** @throws RangeError for a type that neither features, row keys nor labels can have */
function gathered(column: Data, rows: Int32Array, validity = validityOf(column, rows)): Data {
  const { type } = column;
  if (DataType.isNull(type)) return column.clone(type, 0, rows.length, rows.length);
  const withBuffers = (
    offsets: Int32Array | undefined,
    values: Data['values'] | undefined,
    children?: Data[],
  ): Data =>
    column.clone(
      type,
      0,
      rows.length,
      validity.nullCount,
      {
        [BufferType.OFFSET]: offsets as Data['valueOffsets'],
        [BufferType.DATA]: values as Data['values'],
        [BufferType.VALIDITY]: validity.bitmap,
        [BufferType.TYPE]: column.typeIds,
      },
      children ?? column.children,
    );
  if (DataType.isBool(type)) return withBuffers(undefined, bitsOf(column, rows));
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    const { offsets, places } = elementsOf(column, rows);
    return withBuffers(offsets, placesOf(column.values as Uint8Array, places, 1));
  }
  if (DataType.isList(type)) {
    const { offsets, places } = elementsOf(column, rows);
    return withBuffers(offsets, undefined, [gathered(column.children[0]!, places)]);
  }
  const isFixed =
    DataType.isInt(type) ||
    DataType.isFloat(type) ||
    DataType.isDate(type) ||
    DataType.isTimestamp(type) ||
    DataType.isDictionary(type);
  if (isFixed) return withBuffers(undefined, placesOf(column.values, rows, 1));
  if (DataType.isDecimal(type)) {
    return withBuffers(undefined, placesOf(column.values, rows, type.bitWidth / 32));
  }
  if (DataType.isFixedSizeBinary(type)) {
    return withBuffers(undefined, placesOf(column.values, rows, type.byteWidth));
  }
  throw new RangeError(`rows of a column of type ${type}`);
}

interface GatheredValidity {
  readonly nullCount: number;
  readonly bitmap: Uint8Array;
}

function validityOf(column: Data, rows: Int32Array): GatheredValidity {
  if (column.nullCount === 0) return { nullCount: 0, bitmap: new Uint8Array(0) };
  return validityBits(rows.length, (at) => isValid(column, rows[at]!));
}

function validityBits(length: number, isValidAt: (at: number) => boolean): GatheredValidity {
  const bitmap = new Uint8Array((length + 7) >> 3);
  let nullCount = 0;
  for (let at = 0; at < length; at++) {
    if (isValidAt(at)) bitmap[at >> 3]! |= 1 << (at & 7);
    else nullCount++;
  }
  return { nullCount, bitmap: nullCount === 0 ? new Uint8Array(0) : bitmap };
}

function bitsOf({ values, offset }: Data, rows: Int32Array): Uint8Array {
  const bits = new Uint8Array((rows.length + 7) >> 3);
  rows.forEach((row, at) => {
    if (isBitSet(values as Uint8Array, offset + row)) bits[at >> 3]! |= 1 << (at & 7);
  });
  return bits;
}

/** Of values of any length: their offsets when they stand one after the other, and the places of their elements now. */
function elementsOf(column: Data, rows: Int32Array): { offsets: Int32Array; places: Int32Array } {
  const from = column.valueOffsets as Int32Array;
  const offsets = new Int32Array(rows.length + 1);
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    offsets[at + 1] = offsets[at]! + (row === NO_PLACE ? 0 : from[row + 1]! - from[row]!);
  }
  const places = new Int32Array(offsets[rows.length]!);
  for (let at = 0, to = 0; at < rows.length; at++) {
    for (let place = from[rows[at]!]!; to < offsets[at + 1]!; ) places[to++] = place++;
  }
  return { offsets, places };
}

type FixedValues = Uint8Array | Int32Array | Float64Array | BigInt64Array;

function placesOf(values: Data['values'], places: Int32Array, width: number): Data['values'] {
  const from = values as FixedValues;
  const Values = from.constructor as new (length: number) => FixedValues;
  const to = new Values(places.length * width);
  for (let at = 0; at < places.length; at++) {
    const place = places[at]!;
    if (place === NO_PLACE) continue;
    for (let i = 0; i < width; i++) to[at * width + i] = from[place * width + i]!;
  }
  return to as Data['values'];
}
