import { openShard } from '../../lib/parquet/openShard.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import type { ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';

/** A request for row groups of a shard on disk, to be read by the worker. @param version another one than the shard's */
export async function requestOf(
  uri: string,
  rowGroups: readonly number[],
  columns: readonly string[],
  version?: string,
): Promise<ScoringRequest> {
  const file = await localDisk.open(uri);
  const shard = await openShard(file);
  await file.close();
  const { sizeBytes } = file;
  return {
    rowGroups: rowGroups.map((rowGroup) => ({
      ...{ span: 0, uri, sizeBytes, version: version ?? file.version },
      reads: rowGroupReads(shard, rowGroup, columns),
    })),
  };
}
