import type { RecordBatch } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import type { PerTask } from '../base/tasks.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { fitContract } from '../features/fitContract.ts';
import { labelRequirements } from '../features/readLabels.ts';
import { type NetworkShape, networkShape } from '../network/networkShape.ts';
import { MAX_TENSOR_BYTES } from '../onnx/modelProto.ts';
import type { ShardBatch } from '../parquet/readRecordBatches.ts';
import { type TrainingSet, TrainingSetBuilder } from '../training/trainingSet.ts';
import type { DataSplit } from './splitShards.ts';
import { readShardRows } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';

/** Everything that a training needs of the data: fitted, encoded and in memory. */
export interface TrainingData {
  readonly uri: string;
  readonly split: DataSplit;
  /** Fitted on the training part. */
  readonly contract: FeatureContract;
  readonly layout: FeatureLayout;
  readonly trainingSet: TrainingSet;
  readonly validationSet: TrainingSet;
  /** P(click) and P(conversion | click) of the training rows. */
  readonly rates: PerTask<number>;
  /** Over both parts: how often a feature had no value, or one outside the vocabulary. */
  readonly featureCounts: readonly { name: string; values: number; missing: number; unseen: number }[];
  /** Raw rows that a bundle carries to prove, wherever it is loaded, that it scores as it did here. */
  readonly goldenRows: RecordBatch;
}

const GOLDEN_ROWS = 64;

/**
 * Fits the contract on the training part and encodes both parts.
 * @throws Ncs4cvrError GRAPH_TOO_LARGE before the memory for the weights is taken; Ncs4cvrError TRAINING_NO_POSITIVES
 */
export async function prepareTraining(
  config: TrainingConfig,
  dataUri: string,
  split: DataSplit,
  onStage?: (stage: 'fitting' | 'encoding') => void,
): Promise<TrainingData> {
  onStage?.('fitting');
  const features = columnRequirements(config.contract);
  const contract = await fitContract(config.contract, batchesOf(readShardRows(split.training, features)));
  const encoder = new FeatureEncoder(contract);
  const { layout } = encoder;
  refuseTooLarge(networkShape(config.network, layout));

  onStage?.('encoding');
  // Row keys too: a bundle whose keys the data lacks would fail on every shard it is to score.
  const wanted = [...features, ...rowKeyRequirements(config.contract), ...labelRequirements(config.labels)];
  const trainingSet = await encodeParts(encoder, config, readShardRows(split.training, wanted));
  const validationSet = await encodeParts(encoder, config, readShardRows(split.validation, wanted));
  return {
    uri: dataUri,
    split,
    contract,
    layout,
    trainingSet,
    validationSet,
    rates: labelRates(trainingSet, dataUri),
    featureCounts: encoder.counts.map((counts) => ({ ...counts })),
    goldenRows: await firstRows(contract, readShardRows(split.validation, features)),
  };
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

async function* batchesOf(parts: AsyncIterable<ShardBatch>): AsyncGenerator<RecordBatch> {
  for await (const { batch } of parts) yield batch;
}

async function encodeParts(
  encoder: FeatureEncoder,
  config: TrainingConfig,
  parts: AsyncIterable<ShardBatch>,
): Promise<TrainingSet> {
  const builder = new TrainingSetBuilder(encoder, config.labels);
  for await (const { batch, ...place } of parts) builder.add(batch, place);
  return builder.build();
}

/** The first rows of the validation part, feature columns only. */
async function firstRows(contract: FeatureContract, parts: AsyncGenerator<ShardBatch>): Promise<RecordBatch> {
  for await (const { batch } of parts) {
    const inBatch = new Set(batch.schema.fields.map(({ name }) => name));
    const columns = [...new Set(contract.features.map(({ column }) => column))];
    return batch.select(columns.filter((name) => inBatch.has(name))).slice(0, GOLDEN_ROWS);
  }
  throw new Ncs4cvrError('TRAINING_SPLIT_EMPTY', 'there are no validation rows');
}

/** P(click) and P(conversion | click) of the training rows. */
function labelRates(set: TrainingSet, dataUri: string): PerTask<number> {
  let clicks = 0;
  let conversions = 0;
  for (let row = 0; row < set.rowCount; row++) {
    if (set.click[row] === 0) continue;
    clicks++;
    conversions += set.conversion[row]!;
  }
  if (clicks === 0 || conversions === 0) {
    throw new Ncs4cvrError('TRAINING_NO_POSITIVES', 'a task has nothing to learn from', {
      file: dataUri,
      expected: 'clicks and conversions among the training rows',
      found: `${clicks} clicks, ${conversions} conversions in ${set.rowCount} rows`,
    });
  }
  return { click: clicks / set.rowCount, conversion: conversions / clicks };
}
