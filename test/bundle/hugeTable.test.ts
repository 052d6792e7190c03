import { expect, it, vi } from 'vitest';
import { readShared } from '../../lib/bundle/bundleFiles.ts';
import { type EmbeddingTable, tableOver } from '../../lib/bundle/embeddingTable.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import type { RandomAccessFile } from '../../lib/storage/storage.ts';

// Four gigabytes of zeros take seconds to hash, of which nothing is asked here.
vi.mock('node:crypto', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:crypto')>()),
  createHash: () => ({ update: () => undefined, digest: () => 'hashed' }),
}));

it('a table of more bytes than a typed array has on Node 20 is read to its last row', async () => {
  const rowCount = 2 ** 28 + 1;
  const header = { rows: { dtype: 'F32', shape: [rowCount, 4], data_offsets: [0, 16 * rowCount] } };
  const json = Buffer.from(JSON.stringify(header).padEnd(120));
  const start = Buffer.concat([Buffer.from(BigUint64Array.of(120n).buffer), json]);
  const sizeBytes = start.length + 16 * rowCount;
  const last = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
  // Zeros that nobody writes or reads take no memory either.
  const file: RandomAccessFile = {
    ...{ uri: 'zeros', sizeBytes, version: '1', close: async () => undefined },
    async readInto(target, startByte) {
      if (startByte === 0) target.set(start);
      const lastByte = sizeBytes - last.length - startByte;
      if (lastByte < target.length) target.set(last, lastByte);
    },
  };
  const storage = { ...localDisk, open: async () => file };
  const problems: string[] = [];
  const read = await readShared(storage, 'bundle', 'zeros', { sizeBytes, sha256: 'hashed' }, problems);
  expect(problems).toEqual([]);
  const { rows } = tableOver(read!, { name: 'item', rowStart: 0, rowCount }, 4) as EmbeddingTable;
  expect([...rows.subarray(-5)]).toEqual([0, 1, 2, 3, 4]);
});
