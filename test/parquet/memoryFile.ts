import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StorageError } from '../../lib/base/errors.ts';
import type { RandomAccessFile } from '../../lib/storage/storage.ts';

export interface MemoryFile extends RandomAccessFile {
  /** Every range read so far. */
  readonly reads: { startByte: number; endByte: number }[];
}

/** A file in memory that counts what is read from it. */
export function memoryFile(bytes: Uint8Array, uri = 'memory.parquet'): MemoryFile {
  const reads: MemoryFile['reads'] = [];
  return {
    uri,
    sizeBytes: bytes.length,
    version: 'test',
    reads,
    async readInto(target, startByte) {
      const endByte = startByte + target.length;
      reads.push({ startByte, endByte });
      if (startByte < 0 || endByte > bytes.length) {
        throw new StorageError('STORAGE_SHORT_READ', 'read past the end', { file: uri });
      }
      target.set(bytes.subarray(startByte, endByte));
    },
    async close() {},
  };
}

/** Real data beside the checkout; absent in a plain clone. */
export const sharedData = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
export const hasSharedData = existsSync(sharedData);

export function sharedFile(path: string): MemoryFile {
  return memoryFile(readFileSync(sharedData + path), path);
}
