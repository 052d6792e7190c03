import { tableFromIPC } from 'apache-arrow';
import { PredictionWriter } from '../arrow/predictionWriter.ts';
import { ShardError } from '../errors.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureCounts } from '../features/featureEncoder.ts';
import type { ModelBundle } from '../model/loadBundle.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { openShard } from '../parquet/openShard.ts';
import { storageFor } from '../storage/openStorage.ts';
import { addCounts } from './addCounts.ts';
import { predictionMetadata } from './predictionMetadata.ts';
import { scoredRowGroups } from './scoredRowGroups.ts';
import type { WorkerPool } from './workerPool.ts';

export interface ScoredShard {
  readonly inputUri: string;
  readonly outputUri: string;
  readonly rowCount: number;
  readonly sizeBytes: number;
  readonly counts: readonly FeatureCounts[];
}

/**
 * The whole path of one shard: storage -> parquet -> features -> session -> arrow -> storage. Reading, encoding
 * and scoring happen row group by row group on the pool; the rows are written in input order, and the file
 * appears under its name whole or not at all.
 */
export async function scoreShard(
  inputUri: string,
  outputUri: string,
  bundle: ModelBundle,
  pool: WorkerPool,
  /** Called with every scored row group: its rows, and their share of the shard. */
  onRows: (rowCount: number, share: number) => void = () => {},
): Promise<ScoredShard> {
  const { contract } = bundle;
  const input = await storageFor(inputUri).open(inputUri);
  try {
    const shard = await openShard(input);
    checkColumns(shard, [...rowKeyRequirements(contract), ...columnRequirements(contract)]);
    const output = await storageFor(outputUri).createAtomic(outputUri);
    try {
      const writer = await PredictionWriter.open({
        file: output,
        keyFields: contract.rowKeys.map((key) => shard.schema.fields.find(({ name }) => name === key)!),
        metadata: predictionMetadata(bundle, shard),
      });
      let counts: readonly FeatureCounts[] = [];
      for await (const scored of scoredRowGroups(shard, pool)) {
        let at = 0;
        for (const keys of tableFromIPC(scored.columnsIpc).batches) {
          const end = at + keys.numRows;
          await writer.write({
            keys,
            pctr: scored.pctr.subarray(at, end),
            pcvr: scored.pcvr.subarray(at, end),
            pctcvr: scored.pctcvr.subarray(at, end),
          });
          at = end;
        }
        counts = addCounts(counts, scored.counts);
        onRows(scored.rowCount, scored.rowCount / shard.rowCount);
      }
      const { rowCount, sizeBytes } = await writer.finish();
      if (rowCount !== shard.rowCount) {
        throw new ShardError('SHARD_ROW_COUNT_MISMATCH', 'not every row was scored', {
          file: inputUri,
          expected: `${shard.rowCount} rows`,
          found: `${rowCount} rows`,
        });
      }
      await output.commit();
      return { inputUri, outputUri, rowCount, sizeBytes, counts };
    } catch (error) {
      await output.abort();
      throw error;
    }
  } finally {
    await input.close();
  }
}
