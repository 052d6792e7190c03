import { Data, type DataType, Dictionary, Field, List, Vector } from 'apache-arrow';
import type { Indices } from '../base/arrowColumns.ts';
import type { SharedMemory } from './columnMemory.ts';
import { indexTypeOf } from './indexedColumn.ts';

/** An array of a column in memory that threads share. */
type SharedArray = Uint8Array | Uint16Array | Int32Array | Float64Array | BigInt64Array;

type ArrayOf<A> = new (memory: SharedArrayBuffer, startByte: number, length: number) => A;

/** The arrays of a column, as a message between threads may hold them: nothing but its type is left out. */
export interface SharedColumn {
  readonly length: number;
  readonly nullCount: number;
  readonly nullBitmap: SharedArray | undefined;
  readonly valueOffsets: SharedArray | undefined;
  readonly values: SharedArray | undefined;
  readonly children: readonly SharedColumn[];
  /** The values where `values` are indices of them. */
  readonly dictionary: SharedColumn | undefined;
}

/** Copies to shared memory what of a column isn't there, its indices to the fewest bytes that hold them. @param column not a slice */
export function shareColumn(column: Data, memory: SharedMemory): SharedColumn {
  const { length, nullCount, nullBitmap, children, values } = column;
  const dictionary = column.dictionary?.data[0] as Data | undefined;
  return {
    ...{ length, nullCount },
    // A column of type Null has nulls and no bitmap.
    nullBitmap: nullCount === 0 ? undefined : nullBitmap && sharedCopy(nullBitmap as Uint8Array, memory),
    valueOffsets: column.valueOffsets && sharedCopy(column.valueOffsets as Int32Array, memory),
    values:
      dictionary === undefined
        ? values && sharedCopy(values as SharedArray, memory)
        : sharedIndices(values, dictionary.length, memory),
    children: children.map((child) => shareColumn(child, memory)),
    dictionary: dictionary && shareColumn(dictionary, memory),
  };
}

/** A copy in memory that threads share; the array itself where it is there. */
export function sharedCopy<A extends SharedArray | Float32Array>(array: A, memory: SharedMemory): A {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  const bytes = memory.takeBytes(array.byteLength);
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return new (array.constructor as ArrayOf<A>)(bytes.buffer as SharedArrayBuffer, 0, array.length);
}

function sharedIndices(indices: Indices, size: number, memory: SharedMemory): Indices {
  if (indices.buffer instanceof SharedArrayBuffer) return indices;
  const narrow = memory.takeIndices(indices.length, size);
  narrow.set(indices);
  return narrow;
}

/** The column again. @param type of its values, as readArrowSchema gives it: without dictionaries */
export function columnOfShared(column: SharedColumn, type: DataType): Data {
  const { length, nullCount, nullBitmap, valueOffsets, values, dictionary } = column;
  const buffers = [valueOffsets, values, nullBitmap] as never;
  if (dictionary !== undefined) {
    const indexed = new Dictionary(type, indexTypeOf(values as Indices));
    const vector = new Vector([columnOfShared(dictionary, type)]);
    return new Data(indexed, 0, length, nullCount, buffers, [], vector);
  }
  const children = column.children.map((child, index) => columnOfShared(child, type.children[index]!.type));
  return new Data(listTypeOf(type, children), 0, length, nullCount, buffers, children);
}

/** The type of lists whose elements may be indices of a dictionary now. */
function listTypeOf(type: DataType, [element]: readonly Data[]): DataType {
  if (!(type instanceof List) || element === undefined) return type;
  const { name, nullable } = type.children[0]!;
  return new List(new Field(name, element.type as DataType, nullable));
}
