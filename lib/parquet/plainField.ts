import {
  Binary,
  Bool,
  type DataType,
  Date_,
  DateUnit,
  Field,
  Float,
  Int,
  List,
  Precision,
  Utf8,
} from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import type { ShardColumn } from './shardColumns.ts';

const int = (bitWidth: 8 | 16 | 32 | 64) => () => new Int(true, bitWidth);
const uint = (bitWidth: 8 | 16 | 32 | 64) => () => new Int(false, bitWidth);
const text = () => new Utf8();
const day = () => new Date_(DateUnit.DAY);

/**
 * By the type that values are stored as, and what they are annotated with in the format's first and second way. The classes are
 * those of a schema that was read: apache-arrow doesn't take an Int64 for the Int of 64 bits that it decodes.
 */
const TYPES: ReadonlyMap<string, () => DataType> = new Map<string, () => DataType>([
  ['BOOLEAN', () => new Bool()],
  ['FLOAT', () => new Float(Precision.SINGLE)],
  ['DOUBLE', () => new Float(Precision.DOUBLE)],
  ['INT32', int(32)],
  ['INT32 INT_8', int(8)],
  ['INT32 INT_16', int(16)],
  ['INT32 INT_32', int(32)],
  ['INT32 UINT_8', uint(8)],
  ['INT32 UINT_16', uint(16)],
  ['INT32 UINT_32', uint(32)],
  ['INT32 DATE', day],
  ['INT32 DATE DATE', day],
  ['INT64', int(64)],
  ['INT64 INT_64', int(64)],
  ['INT64 UINT_64', uint(64)],
  ['BYTE_ARRAY', () => new Binary()],
  ['BYTE_ARRAY UTF8', text],
  ['BYTE_ARRAY STRING', text],
  ['BYTE_ARRAY UTF8 STRING', text],
]);

/**
 * The field that arrow-rs gives to a column of the usual kinds: numbers, booleans, dates, text, bytes, and lists of these as current
 * writers lay them out. Threads that read schemas alone do without arrow-rs, which takes 15 ms to load.
 * @returns undefined for any other column: arrow-rs is asked
 */
export function plainField({ name, elements, structDepth = 0 }: ShardColumn): Field | undefined {
  if (structDepth > 0) return undefined;
  const [first, middle, last] = elements;
  if (elements.length === 1) return fieldOf(first!);
  if (elements.length !== 3 || !isList(first!) || !isListMiddle(middle!)) return undefined;
  const element = fieldOf(last!);
  return element && new Field(name, new List(element), isNullable(first!));
}

/** Of a leaf that isn't repeated. */
function fieldOf(element: SchemaElement): Field | undefined {
  const { name, type: stored, type_length: length, num_children: children, field_id: id } = element;
  const { converted_type: converted, logical_type: logical, repetition_type: repetition } = element;
  if (repetition !== 'OPTIONAL' && repetition !== 'REQUIRED') return undefined;
  // A field's number comes back as metadata.
  if ([id, children, length, element.precision, element.scale].some((each) => each !== undefined))
    return undefined;
  const key = [stored, converted, logical?.type].filter((part) => part !== undefined).join(' ');
  const type = TYPES.get(key)?.();
  return type && new Field(name, type, isNullable(element));
}

function isList({ repetition_type: repetition, ...element }: SchemaElement): boolean {
  const { type, num_children: children, field_id: id, converted_type: converted } = element;
  const isAnnotated = element.logical_type === undefined || element.logical_type.type === 'LIST';
  if (type !== undefined || id !== undefined || repetition === 'REPEATED' || repetition === undefined)
    return false;
  return children === 1 && converted === 'LIST' && isAnnotated;
}

/** By other names, older writers mean lists of structs. */
function isListMiddle(element: SchemaElement): boolean {
  const { name, type, repetition_type: repetition, num_children: children, field_id: id } = element;
  const isAnnotated = element.converted_type !== undefined || element.logical_type !== undefined;
  if (type !== undefined || id !== undefined || isAnnotated) return false;
  return name === 'list' && repetition === 'REPEATED' && children === 1;
}

function isNullable({ repetition_type: repetition }: SchemaElement): boolean {
  return repetition === 'OPTIONAL';
}
