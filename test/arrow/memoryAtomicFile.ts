import type { AtomicFile, RandomAccessFile } from '../../lib/storage/storage.ts';

export interface MemoryAtomicFile extends AtomicFile {
  bytes(): Buffer;
  readonly writeSizes: number[];
  wasAborted: boolean;
}

/** Copies what is written at once, so that reuse of the written memory shows. */
export function memoryAtomicFile(): MemoryAtomicFile {
  const parts: Buffer[] = [];
  return {
    uri: 'memory.arrow',
    writeSizes: [],
    wasAborted: false,
    bytes: () => Buffer.concat(parts),
    async write(bytes) {
      parts.push(Buffer.from(bytes));
      this.writeSizes.push(bytes.length);
    },
    commit: async () => ({ sizeBytes: Buffer.concat(parts).length, version: 'test' }),
    async abort() {
      this.wasAborted = true;
    },
  };
}

export function readableFile(bytes: Uint8Array): RandomAccessFile {
  return {
    uri: 'memory.arrow',
    sizeBytes: bytes.length,
    version: 'test',
    async readInto(target, startByte) {
      if (startByte + target.length > bytes.length) throw new Error('read past the end');
      target.set(bytes.subarray(startByte, startByte + target.length));
    },
    async close() {},
  };
}
