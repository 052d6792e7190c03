import { checkColumns, type WantedColumn } from '../parquet/checkColumns.ts';
import { openShard } from '../parquet/openShard.ts';
import { readRecordBatches, type ShardBatch } from '../parquet/readRecordBatches.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { ShardPart } from './splitShards.ts';

/** Streams the wanted columns of shard parts, checking every shard's columns first. */
export async function* readParts(
  parts: readonly ShardPart[],
  wanted: readonly WantedColumn[],
): AsyncGenerator<ShardBatch> {
  for (const part of parts) {
    const file = await storageFor(part.uri).open(part.uri);
    try {
      const shard = await openShard(file);
      const absent = checkColumns(shard, wanted);
      const columns = [...new Set(wanted.map(({ column }) => column))].filter((name) => !absent.has(name));
      const rowGroups = [...shard.rowGroups.keys()].filter((index) => {
        const { rowStart, rowCount } = shard.rowGroups[index]!;
        return rowStart < part.rowEnd && rowStart + rowCount > part.rowStart;
      });
      for await (const { batch, ...place } of readRecordBatches(shard, columns, { rowGroups })) {
        const start = Math.max(0, part.rowStart - place.rowStart);
        const end = Math.min(batch.numRows, part.rowEnd - place.rowStart);
        if (start < end) yield { ...place, rowStart: place.rowStart + start, batch: batch.slice(start, end) };
      }
    } finally {
      await file.close();
    }
  }
}
