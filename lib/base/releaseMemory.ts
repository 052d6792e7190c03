/**
 * Gives arrays' memory back at once: they and all other views of it have no length from then on. The garbage collector would
 * wait until tens of megabytes of it are dead, in each thread, so that a long run takes more memory than a short one.
 * Node 20 can't, and leaves it to the collector.
 */
export function releaseMemory(arrays: readonly ArrayBufferView[]): void {
  for (const buffer of new Set(arrays.map((array) => array.buffer))) {
    if (buffer instanceof ArrayBuffer) (buffer as TransferableBuffer).transfer?.(0);
  }
}

/** ECMAScript 2024, from Node 21 on. */
interface TransferableBuffer extends ArrayBuffer {
  transfer?(newLength: number): ArrayBuffer;
}
