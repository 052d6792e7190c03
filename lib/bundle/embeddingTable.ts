import { messageOf } from '../base/errors.ts';
import type { SharedMemory } from '../base/webAssembly.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { tableFileName } from '../features/vocabularyFile.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import { allocateShared, PIECE_BYTES, type SharedBytes, sharedPart } from './bundleFiles.ts';
import { EMBEDDINGS_FOLDER } from './bundleManifest.ts';
import {
  decodeHeader,
  ELEMENT_BYTES,
  encodeHeader,
  headerBytes,
  LENGTH_BYTES,
  type StoredElement,
  type StoredTensor,
} from './safetensors.ts';
import { allocateTables } from './tableMemory.ts';

/** The embeddings of one table: plain data, which other threads get by reference where it lies in shared memory. */
export interface EmbeddingTable {
  readonly name: string;
  /** First row of the table in the joint matrix that encoded rows point into. */
  readonly rowStart: number;
  readonly rowCount: number;
  readonly width: number;
  readonly elementType: StoredElement;
  /** [rowCount, width], row-major; of F16 the bits of its numbers. */
  readonly rows: TableRows;
  /** Of I8 only: what the integers of each row are multiplied by, [rowCount]. */
  readonly scales?: Float32Array;
  /** Where `rows` and `scales` lie, when kernels can read it; a copy of them lies elsewhere. */
  readonly memory?: SharedMemory;
}

/** Of F32, F16, I8. */
type TableRows = Float32Array | Uint16Array | Int8Array;

const ROWS_TENSOR = 'rows';
/** In front of the integers, for its elements must begin at multiples of 4 bytes. */
const SCALE_TENSOR = 'scale';

/** The file of a table below the bundle. */
export function embeddingFile(table: string): string {
  return `${EMBEDDINGS_FOLDER}${tableFileName(table)}.safetensors`;
}

/** The tables of a network as it was trained: views, nothing is copied. */
export function tablesOf(
  { layout, embeddingWidth: width }: NetworkShape,
  { embeddings }: ModelWeights,
): EmbeddingTable[] {
  return layout.tables.map(({ name, rowStart, rowCount }) => ({
    ...{ name, rowStart, rowCount, width, elementType: 'F32' },
    rows: embeddings.subarray(rowStart * width, (rowStart + rowCount) * width),
  }));
}

/** The bytes of a table's file, piece by piece: views of the table's own memory. */
export function* tablePieces({
  rowCount,
  width,
  elementType,
  rows,
  scales,
}: EmbeddingTable): Generator<Uint8Array> {
  yield encodeHeader([
    ...(scales === undefined ? [] : [{ name: SCALE_TENSOR, elementType: 'F32', shape: [rowCount] } as const]),
    { name: ROWS_TENSOR, elementType, shape: [rowCount, width] },
  ]);
  for (const array of scales === undefined ? [rows] : [scales, rows]) {
    for (let at = 0; at < array.byteLength; at += PIECE_BYTES) {
      yield new Uint8Array(array.buffer, array.byteOffset + at, Math.min(PIECE_BYTES, array.byteLength - at));
    }
  }
}

/**
 * A table over the bytes of its file.
 * @param file all of it, from a multiple of 8 bytes on
 * @param width columns that the network's embeddings have
 * @param memory that the file lies in, when kernels can read it
 * @returns what is wrong with the file instead
 */
export function tableOver(
  file: SharedBytes,
  { name, rowStart, rowCount }: FeatureLayout['tables'][number],
  width: number,
  memory?: SharedMemory,
): EmbeddingTable | string {
  const tensors = tensorsIn(file);
  if (typeof tensors === 'string') return tensors;
  const expected = describeTensors(expectedTensors(tensors, rowCount, width));
  const found = describeTensors(tensors);
  if (found !== expected) return `expected ${expected}, found ${found || 'no tensor'}`;
  const { elementType, startByte } = tensors.at(-1)!;
  // Typed arrays begin at multiples of their elements.
  const unaligned = tensors.find((each) => each.startByte % ELEMENT_BYTES[each.elementType] !== 0);
  if (unaligned !== undefined) return `its ${unaligned.name} begin at byte ${unaligned.startByte}`;
  const [scale] = tensors;
  return {
    ...{ name, rowStart, rowCount, width, elementType },
    rows: rowsOver(elementType, file.buffer, file.byteOffset + startByte, rowCount * width),
    ...(elementType === 'I8'
      ? { scales: new Float32Array(file.buffer, file.byteOffset + scale!.startByte, rowCount) }
      : {}),
    ...(memory === undefined ? {} : { memory }),
  };
}

/** Tables in memory that all threads can read, and kernels as well; those that are there already stay. */
export function sharedTables(tables: readonly EmbeddingTable[]): EmbeddingTable[] {
  const own = tables.filter(({ rows }) => !(rows.buffer instanceof SharedArrayBuffer));
  const sizes = own.map((table) => [table.name, fileBytes(table)] as const);
  const allocated = allocateTables(new Map(sizes));
  return tables.map((table) => {
    if (!own.includes(table)) return table;
    const place = allocated?.places.get(table.name) ?? allocateShared(fileBytes(table));
    let at = 0;
    for (const piece of tablePieces(table)) {
      sharedPart(place, at, piece.length).set(piece);
      at += piece.length;
    }
    return tableOver(place, table, table.width, allocated?.memory) as EmbeddingTable;
  });
}

function fileBytes(table: EmbeddingTable): number {
  return [...tablePieces(table)].reduce((sum, { length }) => sum + length, 0);
}

function rowsOver(
  elementType: StoredElement,
  buffer: SharedArrayBuffer,
  startByte: number,
  length: number,
): TableRows {
  if (elementType === 'F32') return new Float32Array(buffer, startByte, length);
  return elementType === 'F16'
    ? new Uint16Array(buffer, startByte, length)
    : new Int8Array(buffer, startByte, length);
}

/** What a table of the type that a file's rows have must hold; F32 if they have none. */
function expectedTensors(
  found: readonly StoredTensor[],
  rowCount: number,
  width: number,
): Pick<StoredTensor, 'name' | 'elementType' | 'shape'>[] {
  const elementType = found.at(-1)?.elementType ?? 'F32';
  return [
    ...(elementType === 'I8' ? [{ name: SCALE_TENSOR, elementType: 'F32', shape: [rowCount] } as const] : []),
    { name: ROWS_TENSOR, elementType, shape: [rowCount, width] },
  ];
}

function describeTensors(tensors: readonly Pick<StoredTensor, 'name' | 'elementType' | 'shape'>[]): string {
  return tensors.map((each) => `${each.elementType} ${each.name} [${each.shape.join(', ')}]`).join('; ');
}

/** The tensors in the bytes of a table's file, in the order of their places, or what is wrong with them. */
function tensorsIn(file: SharedBytes): StoredTensor[] | string {
  try {
    const header = sharedPart(file, LENGTH_BYTES, headerBytes(file));
    const tensors = decodeHeader(Uint8Array.from(header), file.byteLength);
    return tensors.sort((a, b) => a.startByte - b.startByte);
  } catch (error) {
    return messageOf(error);
  }
}
