/** Indices of values, as wide as they must be. */
export type Indices = Int32Array | Uint16Array | Uint8Array;

/** Where the arrays of decoded columns come from. */
export interface ColumnMemory {
  /** An array with any content, as all of these. */
  takeIntegers(length: number): Int32Array;
  takeBytes(length: number): Uint8Array;
  /** @param size of what they are indices of */
  takeIndices(length: number, size: number): Indices;
}

/** Memory that threads share, for columns that are read by all: their indices take the fewest bytes that hold them. */
export const SHARED_MEMORY: ColumnMemory = {
  takeIntegers: (length) => new Int32Array(new SharedArrayBuffer(4 * length)),
  takeBytes: (length) => new Uint8Array(new SharedArrayBuffer(length)),
  takeIndices(length, size) {
    if (size <= 256) return new Uint8Array(new SharedArrayBuffer(length));
    if (size <= 65_536) return new Uint16Array(new SharedArrayBuffer(2 * length));
    return new Int32Array(new SharedArrayBuffer(4 * length));
  },
};
