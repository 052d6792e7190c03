import type { RecordBatch } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import type { PerTask } from '../base/tasks.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { labelRequirements } from '../features/readLabels.ts';
import { DEFAULT_LAYOUT, parsePartitionLayout } from '../job/partitionLayout.ts';
import { RepeatedKeys } from '../profile/repeatedKeys.ts';
import { type TrainingSet, TrainingSetBuilder } from '../training/trainingSet.ts';
import { dayOfShard } from './daysOfShards.ts';
import { DayTally } from './dayTally.ts';
import { type DescribedData, describeData, type EncodedSide } from './describeData.ts';
import { type DataSplit, readShardRows, type ShardRows } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';

/** Everything that a training needs of the data, encoded and in memory. */
export interface TrainingData {
  readonly split: DataSplit;
  /** Fitted on the training rows. */
  readonly contract: FeatureContract;
  readonly layout: FeatureLayout;
  readonly trainingSet: TrainingSet;
  readonly validationSet: TrainingSet;
  /** P(click) and P(conversion | click) of the training rows. */
  readonly rates: PerTask<number>;
  /** Over training and validation rows: how often a feature had no value, or one outside the vocabulary. */
  readonly featureCounts: readonly { name: string; values: number; missing: number; unseen: number }[];
  /** Raw validation rows that a bundle carries to prove, wherever it is loaded, that it scores as it did here. */
  readonly goldenRows: RecordBatch;
  /** What a bundle's reference says of the rows alone, whatever the model. */
  readonly described: DescribedData;
}

const GOLDEN_ROWS = 64;

/**
 * Reads and encodes the training rows and the validation rows.
 * @param contract fitted
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES when a task has nothing to learn from
 */
export async function encodeData(
  config: TrainingConfig,
  split: DataSplit,
  contract: FeatureContract,
): Promise<TrainingData> {
  const encoder = new FeatureEncoder(contract);
  const keys = new RepeatedKeys(contract.rowKeys);
  const training = await encodeRows(encoder, config, split.training, keys);
  const validation = await encodeRows(encoder, config, split.validation, keys);
  return {
    split,
    contract,
    layout: encoder.layout,
    trainingSet: training.set,
    validationSet: validation.set,
    rates: labelRates(training.set, split.uri),
    featureCounts: encoder.counts.map((counts) => ({ ...counts })),
    goldenRows: await firstRows(contract, split.validation),
    described: describeData(encoder.layout, training, validation, keys.largestShare()),
  };
}

async function encodeRows(
  encoder: FeatureEncoder,
  { contract, labels, split }: TrainingConfig,
  rows: readonly ShardRows[],
  keys: RepeatedKeys,
): Promise<EncodedSide> {
  // Row keys too: a bundle whose keys the data lacks would fail on every shard it is to score.
  const wanted = [
    ...columnRequirements(contract),
    ...rowKeyRequirements(contract),
    ...labelRequirements(labels),
  ];
  const layout = split.by === 'date' ? parsePartitionLayout(split.partitions ?? DEFAULT_LAYOUT) : undefined;
  const builder = new TrainingSetBuilder(encoder, labels);
  const tally = new DayTally(encoder);
  for await (const { batch, ...place } of readShardRows(rows, wanted)) {
    const day = layout && dayOfShard({ uri: place.file }, layout);
    builder.add(batch, place);
    tally.add(day, batch.numRows);
    keys.add(batch, day);
  }
  return { set: builder.build(), days: tally.days };
}

/** Feature columns only. */
async function firstRows(contract: FeatureContract, rows: readonly ShardRows[]): Promise<RecordBatch> {
  for await (const { batch } of readShardRows(rows, columnRequirements(contract))) {
    const inBatch = new Set(batch.schema.fields.map(({ name }) => name));
    const columns = [...new Set(contract.features.map(({ column }) => column))];
    return batch.select(columns.filter((name) => inBatch.has(name))).slice(0, GOLDEN_ROWS);
  }
  throw new Ncs4cvrError('TRAINING_SPLIT_EMPTY', 'there are no validation rows');
}

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
