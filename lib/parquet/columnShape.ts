import { type DataType, type Field, List } from 'apache-arrow';
import { isDictionaryType } from './dictionaryValues.ts';
import { readArrowSchema } from './readArrowSchema.ts';
import type { ShardColumn } from './shardColumns.ts';

/**
 * How the rows of a column are stored. A value's definition level says how much of it is there
 * (https://parquet.apache.org/docs/file-format/nestedencoding/).
 */
export interface ColumnShape {
  /** Of the column, without a dictionary. */
  readonly field: Field;
  /** Of the values: the column's own type, or that of what its lists hold. */
  readonly valueType: DataType;
  readonly isList: boolean;
  /** The definition level from which on a row isn't null, */
  readonly rowLevel: number;
  /** a list holds an element, */
  readonly elementLevel: number;
  /** and the element, or the row of a column without lists, is a value. */
  readonly valueLevel: number;
}

/** By the schema of a column: a thread gets the columns of a shard anew with each request, and working this out takes a millisecond. */
const shapes = new Map<string, ColumnShape | null>();
const MOST_SHAPES = 4096;

/** Null for a column that only arrow-rs reads: neither integers, floating-point numbers, text or bytes, nor lists of these. */
export function columnShape(column: ShardColumn): ColumnShape | null {
  const schema = JSON.stringify(column.elements);
  let shape = shapes.get(schema);
  if (shape === undefined) {
    shape = workOut(column);
    if (shapes.size === MOST_SHAPES) shapes.clear();
    shapes.set(schema, shape);
  }
  return shape;
}

function workOut(column: ShardColumn): ColumnShape | null {
  const { elements, leaves } = column;
  const field = readArrowSchema([column]).schema.fields[0];
  const leaf = leaves[0]?.element;
  if (field === undefined || leaves.length !== 1 || leaf?.type === undefined) return null;
  if (leaf.repetition_type === 'REPEATED') return null;
  const levelOf = (index: number) => (elements[index]!.repetition_type === 'OPTIONAL' ? 1 : 0);
  const type = field.type as DataType;
  if (elements.length === 1) {
    if (!isDictionaryType(type, leaf.type)) return null;
    const level = levelOf(0);
    return {
      ...{ field, valueType: type, isList: false },
      ...{ rowLevel: level, elementLevel: level, valueLevel: level },
    };
  }
  const isThreeLevels =
    elements.length === 3 &&
    elements[0]!.repetition_type !== 'REPEATED' &&
    elements[1]!.repetition_type === 'REPEATED';
  if (!isThreeLevels || !(type instanceof List)) return null;
  const valueType = type.children[0]!.type as DataType;
  if (!isDictionaryType(valueType, leaf.type)) return null;
  const elementLevel = levelOf(0) + 1;
  return {
    ...{ field, valueType, isList: true },
    ...{ rowLevel: levelOf(0), elementLevel, valueLevel: elementLevel + levelOf(2) },
  };
}
