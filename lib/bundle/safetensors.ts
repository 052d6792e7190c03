import { messageOf } from '../base/errors.ts';
import { isRecord } from '../base/jsonDocument.ts';

/*
 * The file format of github.com/huggingface/safetensors: the header's length as a little-endian uint64, the header as JSON
 * (padded with spaces), then the tensors' bytes, little-endian and row-major, without gaps.
 */

/** Element types that this project stores, by the format's names. */
export type StoredElement = 'F32' | 'F16' | 'I8';

export const ELEMENT_BYTES: Readonly<Record<StoredElement, number>> = { F32: 4, F16: 2, I8: 1 };

/** A tensor of a file: `startByte` counts from the beginning of the file. */
export interface StoredTensor {
  readonly name: string;
  readonly elementType: StoredElement;
  readonly shape: readonly number[];
  readonly startByte: number;
  readonly sizeBytes: number;
}

/** Bytes that say how long the header is. */
export const LENGTH_BYTES = 8;
/** Far above what any header of ours needs. */
const MAX_HEADER_BYTES = 1 << 20;
/** Tensors begin at a multiple of it, so that typed arrays can lie over a file that was read or mapped. */
const ALIGNMENT_BYTES = 64;

/** Everything in front of the tensors' bytes. */
export function encodeHeader(
  tensors: readonly Pick<StoredTensor, 'name' | 'elementType' | 'shape'>[],
): Uint8Array {
  const entries: Record<string, object> = {};
  let at = 0;
  for (const { name, elementType, shape } of tensors) {
    const end = at + shape.reduce((size, length) => size * length, ELEMENT_BYTES[elementType]);
    entries[name] = { dtype: elementType, shape, data_offsets: [at, end] };
    at = end;
  }
  const json = JSON.stringify(entries);
  const size = Math.ceil((LENGTH_BYTES + json.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const bytes = new Uint8Array(size).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(size - LENGTH_BYTES), true);
  bytes.set(new TextEncoder().encode(json), LENGTH_BYTES);
  return bytes;
}

/** Length of the header of a file. @throws Error that says what is wrong */
export function headerBytes({
  buffer,
  byteOffset,
  byteLength: fileBytes,
}: Pick<Uint8Array, 'buffer' | 'byteOffset' | 'byteLength'>): number {
  if (fileBytes < LENGTH_BYTES) throw new Error(`a file of ${fileBytes} bytes`);
  const length = Number(new DataView(buffer, byteOffset, LENGTH_BYTES).getBigUint64(0, true));
  if (length <= Math.min(MAX_HEADER_BYTES, fileBytes - LENGTH_BYTES)) return length;
  throw new Error(`a header of ${length} bytes in a file of ${fileBytes}`);
}

/** @param header without its length; @throws Error that says what is wrong */
export function decodeHeader(header: Uint8Array, fileBytes: number): StoredTensor[] {
  let entries: unknown;
  try {
    entries = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (error) {
    throw new Error(`the header is no JSON: ${messageOf(error)}`);
  }
  if (!isRecord(entries)) throw new Error('the header is no JSON object');
  const dataStart = LENGTH_BYTES + header.length;
  const tensors = Object.entries(entries)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => storedTensor(name, entry, dataStart));
  const sorted = [...tensors].sort((a, b) => a.startByte - b.startByte);
  let at = dataStart;
  for (const { name, startByte, sizeBytes } of sorted) {
    if (startByte !== at) throw new Error(`tensor ${name} begins at byte ${startByte}, not at ${at}`);
    at += sizeBytes;
  }
  if (at !== fileBytes) throw new Error(`the tensors end at byte ${at} of ${fileBytes}`);
  return tensors;
}

function storedTensor(name: string, entry: unknown, dataStart: number): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  const elementType = dtype as StoredElement;
  if (!(typeof dtype === 'string' && Object.hasOwn(ELEMENT_BYTES, dtype))) {
    throw new Error(`tensor ${name} has elements of type ${JSON.stringify(dtype)}`);
  }
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw new Error(`tensor ${name} has no shape or place`);
  }
  const sizeBytes = shape.reduce((size, length) => size * length, ELEMENT_BYTES[elementType]);
  if (offsets[1]! - offsets[0]! !== sizeBytes) {
    throw new Error(
      `tensor ${name} [${shape.join(', ')}] has ${offsets[1]! - offsets[0]!} bytes, not ${sizeBytes}`,
    );
  }
  return { name, elementType, shape, startByte: dataStart + offsets[0]!, sizeBytes };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}
