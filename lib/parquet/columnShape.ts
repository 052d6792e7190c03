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

/** Shards of one schema mostly share their columns. */
const ofColumns = new WeakMap<ShardColumn, KnownColumn>();
/** By the schema of a column, with its name: a thread may get the columns of a shard anew, and working this out takes a millisecond. */
const knownColumns = new Map<string, KnownColumn>();
const MOST_COLUMNS = 4096;

interface KnownColumn {
  readonly field: Field | undefined;
  readonly shape: ColumnShape | null;
}

/** Null for a column that only arrow-rs reads: neither integers, floating-point numbers, text or bytes, nor lists of these; or within structs. */
export function columnShape(column: ShardColumn): ColumnShape | null {
  return known(column).shape;
}

/** As readArrowSchema gives it; undefined for a column that can't be read. */
export function arrowField(column: ShardColumn): Field | undefined {
  return known(column).field;
}

function known(column: ShardColumn): KnownColumn {
  const ofColumn = ofColumns.get(column);
  if (ofColumn !== undefined) return ofColumn;
  const schema = JSON.stringify([column.elements, column.structDepth]);
  let found = knownColumns.get(schema);
  if (found === undefined) {
    const field = readArrowSchema([column]).schema.fields[0];
    found = { field, shape: field === undefined ? null : workOut(column, field) };
    if (knownColumns.size === MOST_COLUMNS) knownColumns.clear();
    knownColumns.set(schema, found);
  }
  ofColumns.set(column, found);
  return found;
}

function workOut({ elements, leaves, structDepth = 0 }: ShardColumn, field: Field): ColumnShape | null {
  const leaf = leaves[0]?.element;
  if (structDepth > 0 || leaves.length !== 1 || leaf?.type === undefined) return null;
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
