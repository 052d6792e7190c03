import { Ncs4cvrError } from '../base/errors.ts';
import { columnRequirements, refuseWithoutDay } from '../features/columnRequirements.ts';
import { featureLayout } from '../features/featureLayout.ts';
import { type FittedContract, fitContract } from '../features/fitContract.ts';
import type { BatchPlace } from '../features/readLabels.ts';
import { UnreadableValueError } from '../features/unreadableValue.ts';
import { type NetworkShape, networkShape } from '../network/networkShape.ts';
import { MAX_TENSOR_BYTES } from '../onnx/modelProto.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { withShard } from '../parquet/openShard.ts';
import { wantedColumns } from './encodeData.ts';
import { type DataSplit, readShardRows } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';

/**
 * The config's contract, fitted on the training rows.
 * @throws Ncs4cvrError as checkColumns; SHARD_DAY_UNKNOWN; GRAPH_TOO_LARGE when the network on it wouldn't fit into one file, NETWORK_INVALID
 */
export async function fitFeatures(
  config: TrainingConfig,
  { training, validation, report }: DataSplit,
): Promise<FittedContract> {
  for (const { uri } of [...training, ...validation, ...report]) refuseWithoutDay(config.contract, uri);
  await refuseMisnamed(config, [...training.slice(0, 1), ...validation.slice(-1)]);
  let place: BatchPlace | undefined;
  const batches = async function* () {
    for await (const { batch, ...read } of readShardRows(training, columnRequirements(config.contract))) {
      place = read;
      yield batch;
    }
  };
  const fitted = await fitContract(config.contract, batches()).catch((error: unknown) => {
    throw error instanceof UnreadableValueError && place !== undefined ? error.placed(place) : error;
  });
  refuseTooLarge(networkShape(config.network, featureLayout(fitted.contract)));
  return fitted;
}

/**
 * What is misspelt in the config is missing in every shard: told of two, labels and row keys included, before all rows are read to
 * fit on. What single shards lack is told when they are read.
 */
async function refuseMisnamed(config: TrainingConfig, shards: DataSplit['training']): Promise<void> {
  for (const { uri, listed } of shards) {
    await withShard(uri, listed, (shard) => checkColumns(shard, wantedColumns(config)));
  }
}

/** Told before the hours of training, and before the memory for its weights is taken. */
function refuseTooLarge({ layout, embeddingWidth, parameters }: NetworkShape): void {
  const { embeddingRowCount } = layout;
  const sizeOf = (shape: readonly number[]) => 4 * shape.reduce((size, length) => size * length, 1);
  const sizeBytes =
    sizeOf([embeddingRowCount, embeddingWidth]) +
    parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (sizeBytes <= MAX_TENSOR_BYTES) return;
  throw new Ncs4cvrError('GRAPH_TOO_LARGE', "the weights won't fit into one ONNX file", {
    expected: `at most ${MAX_TENSOR_BYTES} bytes; fewer buckets, larger minCounts or narrower embeddings`,
    found: `${sizeBytes} bytes, with ${embeddingRowCount} embedding rows of width ${embeddingWidth}`,
  });
}
