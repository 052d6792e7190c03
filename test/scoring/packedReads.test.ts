import { describe, expect, test } from 'vitest';
import { openShard } from '../../lib/parquet/openShard.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { packReads, unpackReads } from '../../lib/scoring/packedReads.ts';
import type { RequestedRowGroup } from '../../lib/scoring/requestedRowGroup.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { memoryFile } from '../parquet/memoryFile.ts';
import { sampleShard } from '../parquet/sampleShards.ts';

async function rowGroupsOf(
  bytes: Uint8Array,
  columns: readonly string[] | undefined,
): Promise<RequestedRowGroup[]> {
  const shard = await openShard(memoryFile(Uint8Array.from(bytes), 'shard'));
  const { uri, sizeBytes, version } = shard;
  const names = columns ?? shard.columns.map(({ name }) => name);
  return shard.rowGroups.map((_, rowGroup) => {
    const reads = rowGroupReads(shard, rowGroup, names);
    return { span: rowGroup, uri, sizeBytes, version, reads };
  });
}

/** As a thread gets it. */
function sent(rowGroups: readonly RequestedRowGroup[]): RequestedRowGroup[] {
  const { rowGroups: packed, packedReads } = structuredClone(packReads(rowGroups));
  return unpackReads(packed, packedReads);
}

describe('reads on their way to a thread', () => {
  test('arrive as they were: several schemas, lists, other columns, rows and bytes that came along', async () => {
    const rowGroups = [
      ...(await rowGroupsOf(sampleShard(100, 40), undefined)),
      ...(await rowGroupsOf(funnelShard(funnelRows('2024-03-01', 50)), undefined)),
      ...(await rowGroupsOf(sampleShard(100, 40), ['price', 'id'])),
      ...(await rowGroupsOf(sampleShard(30, 30), undefined)),
    ];
    const [first, second, ...others] = rowGroups;
    const all = [
      { ...first!, rows: { start: 3, end: 9 } },
      { ...second!, buffer: Uint8Array.of(1, 2, 3) },
      ...others,
    ];
    expect(all[3]!.reads.columns.some(({ column }) => column.elements.length > 1)).toBe(true);
    expect(sent(all)).toEqual(all);
  });

  test('of one schema share their columns, in this request and the next', async () => {
    const rowGroups = await rowGroupsOf(sampleShard(100, 40), ['id', 'city']);
    expect(packReads(rowGroups).packedReads.columnSets).toHaveLength(1);
    const columns = [...sent(rowGroups), ...sent(rowGroups)].map(({ reads }) => reads.columns[1]!.column);
    expect(columns).toHaveLength(6);
    expect(new Set(columns).size).toBe(1);
  });
});
