import { Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import type { FittedContract } from '../features/fitContract.ts';
import { DEFAULT_LAYOUT, parsePartitionLayout } from '../job/partitionLayout.ts';
import { RepeatedKeyShare } from '../keys/repeatedKeyShare.ts';
import { daysOfShards } from '../recipe/daysOfShards.ts';
import { describeData } from '../recipe/describeData.ts';
import { encodeRows, firstGoldenRows, type TrainingData } from '../recipe/encodeData.ts';
import { labelNotes } from '../recipe/labelRates.ts';
import { splitShards } from '../recipe/splitShards.ts';
import type { SplitConfig } from '../recipe/trainingConfig.ts';
import { listShards, type ShardInput } from '../storage/listShards.ts';
import type { OwnModelConfig } from './ownModelConfig.ts';

/** Of rows whose folders name no days: the last ones are compared with, as nights to come will be. */
const COMPARED_SHARE = 0.2;

/** Rows that a bundle's reference and golden rows are made of: as of a training, but that nothing is learned from labels. */
export interface DescribedRows
  extends Pick<
    TrainingData,
    | 'split'
    | 'contract'
    | 'vocabularies'
    | 'layout'
    | 'trainingSet'
    | 'validationSet'
    | 'described'
    | 'featureCounts'
    | 'notes'
    | 'goldenRows'
  > {
  /** Undefined where no labels are named. */
  readonly labelCounts: TrainingData['labelCounts'] | undefined;
}

/** @throws Ncs4cvrError as splitShards and FeatureEncoder; ProblemsError MODEL_CONFIG_INVALID */
export async function describeRows(
  input: ShardInput,
  { contract, vocabularies }: FittedContract,
  { labels, split: given }: Pick<OwnModelConfig, 'labels' | 'split'>,
): Promise<DescribedRows> {
  const config = given ?? (await lastDayApart(input));
  if (labels?.matureAfter !== undefined && config.by !== 'date') {
    throw new ProblemsError('MODEL_CONFIG_INVALID', 'the config is invalid', [
      'labels.matureAfter: needs a split by date, whose folders say how old a row is',
    ]);
  }
  const split = await splitShards(input, config);
  const encoder = new FeatureEncoder(contract, vocabularies);
  const keys = new RepeatedKeyShare(contract.rowKeys);
  const read = { contract, labels };
  const training = await encodeRows(encoder, read, split.training, split.newestDay, keys);
  const validation = await encodeRows(encoder, read, split.validation, split.newestDay, keys);
  const labelCounts = labels && { training: training.labelCounts, validation: validation.labelCounts };
  return {
    ...{ split, contract, vocabularies, layout: encoder.layout },
    ...{ trainingSet: training.set, validationSet: validation.set },
    described: describeData(encoder.layout, training, validation, keys.largestShare()),
    featureCounts: encoder.counts.map((each) => ({ ...each })),
    goldenRows: await firstGoldenRows(contract, split.validation),
    labelCounts,
    notes: Object.entries(labelCounts ?? {}).flatMap(([side, each]) => labelNotes(side, each, labels!)),
  };
}

/** The newest day against all days before it; without two days, the last rows against the others. */
async function lastDayApart(input: ShardInput): Promise<SplitConfig> {
  const { shards } = await listShards(input);
  const days = datesIn(shards);
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined || first === last) {
    return { by: 'fraction', validation: COMPARED_SHARE };
  }
  return { by: 'date', train: { from: first, to: days.at(-2)! }, validation: { from: last, to: last } };
}

function datesIn(shards: Parameters<typeof daysOfShards>[0]): string[] {
  try {
    return [...daysOfShards(shards, parsePartitionLayout(DEFAULT_LAYOUT)).byDay.keys()].sort();
  } catch (error) {
    if (error instanceof Ncs4cvrError && error.code === 'TRAINING_NO_DATE') return [];
    throw error;
  }
}
