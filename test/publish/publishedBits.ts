import { tableFromIPC } from 'apache-arrow';
import { expect } from 'vitest';
import { below } from '../../lib/publish/outputLayout.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { tableBits } from '../scoring/readScores.ts';

/** What a reader gets by following a partition's pointer: bits of the scores by impression, each row in one part only. */
export async function publishedBits(root: string, partition: string): Promise<Map<bigint, string>> {
  const { manifest } = await resolvePartition(root, partition);
  const bits = new Map<bigint, string>();
  for (const { path } of manifest.parts) {
    const uri = below(root, path);
    for (const [id, text] of tableBits(tableFromIPC(await storageFor(uri).readWhole(uri)))) {
      expect(bits.has(id), 'a row is in one part only').toBe(false);
      bits.set(id, text);
    }
  }
  return bits;
}
