import type { RecordBatch } from 'apache-arrow';
import type { ColumnRequirement } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import type { PerTask } from '../base/tasks.ts';
import { columnRequirements, featureColumns, rowKeyRequirements } from '../features/columnRequirements.ts';
import { type FeatureContract, featureName } from '../features/contract.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { FittedContract } from '../features/fitContract.ts';
import { type LabelColumns, type LabelCounts, labelRequirements } from '../features/readLabels.ts';
import type { VocabularyFiles } from '../features/vocabulary.ts';
import { RepeatedKeyShare } from '../keys/repeatedKeyShare.ts';
import { type TrainingSet, TrainingSetBuilder } from '../training/trainingSet.ts';
import { DayTally } from './dayTally.ts';
import { type DescribedData, describeData, type EncodedSide } from './describeData.ts';
import { featureNotes } from './featureNotes.ts';
import { labelMaturity } from './labelMaturity.ts';
import { labelNotes, labelRates } from './labelRates.ts';
import { type LeakRecord, refuseLeaks } from './refuseLeaks.ts';
import { type DataSplit, readShardRows, type ShardRows } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';

/** Everything that a training needs of the data, encoded and in memory. */
export interface TrainingData {
  readonly split: DataSplit;
  /** Fitted on the training rows. */
  readonly contract: FeatureContract;
  /** Of the contract's tables. */
  readonly vocabularies: VocabularyFiles;
  readonly layout: FeatureLayout;
  readonly trainingSet: TrainingSet;
  readonly validationSet: TrainingSet;
  /** P(click) and P(conversion | click) of the training rows. */
  readonly rates: PerTask<number>;
  readonly labelCounts: { readonly training: LabelCounts; readonly validation: LabelCounts };
  /** What is odd about the labels and the features, one line for each side where anything is. */
  readonly notes: readonly string[];
  readonly leaks: LeakRecord;
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
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES, TRAINING_NO_NEGATIVES, TRAINING_LABELS_EQUAL when a task has nothing to learn from
 * @throws ProblemsError TRAINING_LEAK
 */
export async function encodeData(
  config: TrainingConfig,
  split: DataSplit,
  { contract, vocabularies }: FittedContract,
): Promise<TrainingData> {
  const encoder = new FeatureEncoder(contract, vocabularies);
  const keys = new RepeatedKeyShare(contract.rowKeys);
  const training = await encodeRows(encoder, config, split.training, split.newestDay, keys);
  const trained = encoder.counts.map((counts) => ({ ...counts }));
  const validation = await encodeRows(encoder, config, split.validation, split.newestDay, keys);
  const [trainingSet, validationSet] = [training.set, validation.set];
  const labelCounts = { training: training.labelCounts, validation: validation.labelCounts };
  const rates = labelRates(trainingSet, 'training', split.uri);
  labelRates(validationSet, 'validation', split.uri);
  return {
    split,
    contract,
    vocabularies,
    layout: encoder.layout,
    trainingSet,
    validationSet,
    rates,
    labelCounts,
    notes: [
      ...Object.entries(labelCounts).flatMap(([side, counts]) => labelNotes(side, counts, config.labels)),
      ...featureNotes(
        trained,
        encoder.counts,
        new Set(contract.features.filter(({ kind }) => kind === 'list').map(featureName)),
      ),
    ],
    leaks: refuseLeaks(config, encoder.layout, trainingSet, validationSet, split.uri),
    featureCounts: encoder.counts.map((counts) => ({ ...counts })),
    goldenRows: await firstGoldenRows(contract, split.validation),
    described: describeData(encoder.layout, training, validation, keys.largestShare()),
  };
}

/** What is read of every shard. Row keys too: a bundle whose keys the data lacks would fail on every shard it is to score. */
export function wantedColumns({ contract, labels }: EncodedColumns): ColumnRequirement[] {
  return [
    ...columnRequirements(contract),
    ...rowKeyRequirements(contract),
    ...(labels === undefined ? [] : labelRequirements(labels)),
  ];
}

type EncodedColumns = Pick<TrainingConfig, 'contract'> & { readonly labels?: LabelColumns | undefined };

/** Reads and encodes rows of one side. @param keys that are counted on; `labels` is undefined where there are none */
export async function encodeRows(
  encoder: FeatureEncoder,
  { contract, labels }: EncodedColumns,
  rows: readonly ShardRows[],
  newestDay: string | undefined,
  keys: RepeatedKeyShare,
): Promise<EncodedSide & { readonly labelCounts: LabelCounts }> {
  const wanted = wantedColumns({ contract, labels });
  const builder = new TrainingSetBuilder(encoder, labels);
  const tally = new DayTally(encoder);
  const isMature = labelMaturity(labels, newestDay);
  for await (const { batch, day, ...place } of readShardRows(rows, wanted)) {
    builder.add(batch, place, isMature(day));
    tally.add(day, batch.numRows);
    keys.add(batch, day);
  }
  return { set: builder.build(), days: tally.days, labelCounts: builder.labelCounts };
}

/** Raw rows for a bundle to prove itself on, the first ones of the validation rows: feature columns only. */
export async function firstGoldenRows(
  contract: FeatureContract,
  rows: readonly ShardRows[],
): Promise<RecordBatch> {
  for await (const { batch } of readShardRows(rows, columnRequirements(contract))) {
    const inBatch = new Set(batch.schema.fields.map(({ name }) => name));
    const columns = featureColumns(contract);
    return batch.select(columns.filter((name) => inBatch.has(name))).slice(0, GOLDEN_ROWS);
  }
  throw new Ncs4cvrError('TRAINING_SPLIT_EMPTY', 'there are no validation rows');
}

/** What a manifest says of the rows that its model was made with. */
export function rowsRecord({
  split,
  trainingSet,
  validationSet,
}: Pick<TrainingData, 'split' | 'trainingSet' | 'validationSet'>) {
  return {
    data: split.uri,
    trainRows: trainingSet.rowCount,
    validationRows: validationSet.rowCount,
    trainSplit: split.trainingText,
    validationSplit: split.validationText,
  };
}

/** The same of their labels. */
export function labelsRecord({ labelCounts, split }: Pick<TrainingData, 'labelCounts' | 'split'>) {
  return { ...labelCounts, ...(split.newestDay === undefined ? {} : { newestDay: split.newestDay }) };
}
