import { tableFromIPC } from 'apache-arrow';
import { PredictionWriter } from '../arrow/predictionWriter.ts';
import { Ncs4cvrError, StorageError } from '../base/errors.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureCounts } from '../features/featureEncoder.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { openShard } from '../parquet/openShard.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { addCounts } from './featureDrift.ts';
import { predictionMetadata } from './predictionMetadata.ts';
import { type RowGroupRange, scoredRowGroups } from './scoredRowGroups.ts';
import type { WorkerPool } from './workerPool.ts';

/** Was the shard another version than the one that was opened or planned? Told by the storage, or by a worker thread. */
export function isReplacedShard(error: unknown): boolean {
  if (!(error instanceof Ncs4cvrError)) return false;
  return error.code === 'STORAGE_FILE_CHANGED' || error.code === 'SHARD_CHANGED';
}

export interface ScoredShard {
  readonly inputUri: string;
  readonly outputUri: string;
  readonly rowCount: number;
  readonly sizeBytes: number;
  readonly counts: readonly FeatureCounts[];
  /** False when the output was to be written only if absent, and was there. */
  readonly isCreated: boolean;
}

export interface ScoreShardOptions {
  /** All row groups by default. */
  readonly rowGroups?: RowGroupRange;
  /** The version that the work was planned for; any by default. */
  readonly inputVersion?: string;
  /** Leave an output that is there as it is. */
  readonly ifAbsent?: boolean;
  /** Called with every scored row group: its rows, and their share of all. */
  readonly onRows?: (rowCount: number, share: number) => void;
}

/**
 * The whole path of one shard, or of a range of its row groups: storage -> parquet -> features -> session -> arrow -> storage. Reading, encoding
 * and scoring happen row group by row group on the pool; the rows are written in input order, and the file
 * appears under its name whole or not at all.
 * @throws StorageError STORAGE_FILE_CHANGED when the input has another version than planned
 */
export async function scoreShard(
  inputUri: string,
  outputUri: string,
  bundle: ModelBundle,
  pool: WorkerPool,
  { rowGroups, inputVersion, ifAbsent = false, onRows }: ScoreShardOptions = {},
): Promise<ScoredShard> {
  const { contract } = bundle;
  const input = await storageFor(inputUri).open(inputUri);
  try {
    refuseOther(input, inputVersion);
    const shard = await openShard(input);
    const range = rowGroups ?? { first: 0, end: shard.rowGroups.length };
    const expectedRows = shard.rowGroups
      .slice(range.first, range.end)
      .reduce((sum, group) => sum + group.rowCount, 0);
    checkColumns(shard, [...rowKeyRequirements(contract), ...columnRequirements(contract)]);
    const output = await storageFor(outputUri).createAtomic(outputUri, { ifAbsent });
    try {
      const writer = await PredictionWriter.open({
        file: output,
        keyFields: contract.rowKeys.map((key) => shard.schema.fields.find(({ name }) => name === key)!),
        metadata: predictionMetadata(bundle, shard, range),
      });
      let counts: readonly FeatureCounts[] = [];
      for await (const scored of scoredRowGroups(shard, pool, range)) {
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
        onRows?.(scored.rowCount, scored.rowCount / expectedRows);
      }
      const { rowCount, sizeBytes } = await writer.finish();
      if (rowCount !== expectedRows) {
        throw new Ncs4cvrError('SHARD_ROW_COUNT_MISMATCH', 'not every row was scored', {
          file: inputUri,
          expected: `${expectedRows} rows`,
          found: `${rowCount} rows`,
        });
      }
      const isCreated = await output.commit();
      return { inputUri, outputUri, rowCount, sizeBytes, counts, isCreated };
    } catch (error) {
      await output.abort();
      throw error;
    }
  } finally {
    await input.close();
  }
}

function refuseOther({ uri, version }: RandomAccessFile, planned: string | undefined): void {
  if (planned === undefined || version === planned) return;
  throw new StorageError('STORAGE_FILE_CHANGED', 'the shard was replaced after the work was planned', {
    file: uri,
    expected: `version ${planned}`,
    found: version,
  });
}
