// recordRows.mjs BUNDLE INPUT FEEDS: writes the first rows of a folder of shards as the graph that `export --plain` writes takes
// them, for bareSession.ts.
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { plainInputs } from '../../lib/bundle/modelInterface.ts';
import { SCORING_BATCH_ROWS } from '../../lib/bundle/scoringSession.ts';
import { featureColumns } from '../../lib/features/columnRequirements.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { listShards } from '../../lib/storage/listShards.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { FeedsRecorder, type FeedTensor } from './feedsFile.ts';

const [bundleUri, input, feeds] = process.argv.slice(2) as [string, string, string];
const { layout, contract, vocabularies } = await loadBundle(localDisk, bundleUri);

const encoder = new FeatureEncoder(contract, vocabularies);
const inputs = plainInputs(layout);
const columns = featureColumns(contract);
const recorder = new FeedsRecorder();
const { shards } = await listShards(input);
for (const { uri } of shards) {
  const file = await localDisk.open(uri);
  const shard = await openShard(file);
  for await (const { batch } of readRecordBatches(shard, columns, { batchRows: SCORING_BATCH_ROWS })) {
    // Every run has as many rows, as a job's batches have.
    if (batch.numRows < SCORING_BATCH_ROWS) continue;
    const rows = allocateEncodedRows(layout, batch.numRows);
    encoder.encode(batch, 0, batch.numRows, rows, 0);
    const arrays = [rows.singleRows, rows.listRows, rows.listWeights, rows.dense].filter(
      ({ length }) => length > 0,
    );
    recorder.add(
      inputs.map(({ name, elementType, shape }, index): FeedTensor => {
        const dims = [batch.numRows, shape[1]!];
        return { name, type: elementType as FeedTensor['type'], dims, data: arrays[index]! };
      }),
    );
    if (recorder.isFull) break;
  }
  await file.close();
  if (recorder.isFull) break;
}
recorder.write(feeds);
process.exit(0);
