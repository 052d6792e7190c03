import { messageOf } from '../base/errors.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { tableFileName } from '../features/vocabularyFile.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import { PIECE_BYTES } from './bundleFiles.ts';
import { EMBEDDINGS_FOLDER } from './bundleManifest.ts';
import {
  decodeHeader,
  type ElementType,
  encodeHeader,
  headerBytes,
  LENGTH_BYTES,
  type StoredTensor,
} from './safetensors.ts';

/** The embeddings of one table: plain data, which other threads get by reference where it lies in shared memory. */
export interface EmbeddingTable {
  readonly name: string;
  /** First row of the table in the joint matrix that encoded rows point into. */
  readonly rowStart: number;
  readonly rowCount: number;
  readonly width: number;
  readonly elementType: ElementType;
  /** [rowCount, width], row-major. */
  readonly rows: Float32Array;
}

const ROWS_TENSOR = 'rows';

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
export function* tablePieces({ rowCount, width, elementType, rows }: EmbeddingTable): Generator<Uint8Array> {
  yield encodeHeader([{ name: ROWS_TENSOR, elementType, shape: [rowCount, width] }]);
  for (let at = 0; at < rows.byteLength; at += PIECE_BYTES) {
    yield new Uint8Array(rows.buffer, rows.byteOffset + at, Math.min(PIECE_BYTES, rows.byteLength - at));
  }
}

/**
 * A table over the bytes of its file.
 * @param memory the whole file
 * @param width columns that the network's embeddings have
 * @returns what is wrong with the file instead
 */
export function tableOver(
  memory: SharedArrayBuffer,
  { name, rowStart, rowCount }: FeatureLayout['tables'][number],
  width: number,
): EmbeddingTable | string {
  const tensor = rowsTensor(memory, [rowCount, width]);
  if (typeof tensor === 'string') return tensor;
  return {
    ...{ name, rowStart, rowCount, width, elementType: tensor.elementType },
    rows: new Float32Array(memory, tensor.startByte, rowCount * width),
  };
}

/** The tensor of a table's rows in the bytes of its file, or what is wrong with them. */
function rowsTensor(memory: SharedArrayBuffer, shape: readonly number[]): StoredTensor | string {
  let tensors: StoredTensor[];
  try {
    const header = new Uint8Array(memory, LENGTH_BYTES, headerBytes(memory));
    tensors = decodeHeader(Uint8Array.from(header), memory.byteLength);
  } catch (error) {
    return messageOf(error);
  }
  const expected = `F32 ${ROWS_TENSOR} [${shape.join(', ')}]`;
  const found = tensors
    .map((each) => `${each.elementType} ${each.name} [${each.shape.join(', ')}]`)
    .join('; ');
  if (found !== expected) return `expected ${expected}, found ${found || 'no tensor'}`;
  const [tensor] = tensors;
  // Typed arrays begin at multiples of their elements.
  return tensor!.startByte % 4 === 0 ? tensor! : `its rows begin at byte ${tensor!.startByte}`;
}
