import { parseTrainingConfig, type TrainingConfigInput } from '../recipe/trainingConfig.ts';
import { type TrainedModel, type TrainModelOptions, trainModel } from '../recipe/trainModel.ts';

/**
 * Trains a model as `ncs4cvr train` does: fits the contract, finds the masks if the config asks for them, trains, and writes
 * the bundle. A call that was killed goes on where it was when it is repeated.
 * @param config a training config document (docs/training.md), as an object
 * @param dataUri folder of labelled Parquet shards
 * @param outputUri folder of the new bundle
 * @throws ProblemsError TRAINING_CONFIG_INVALID with every problem, TRAINING_LEAK; Ncs4cvrError BUNDLE_EXISTS, TRAINING_*,
 *   SHARD_*, CONTRACT_*
 */
export function trainNcs(
  config: TrainingConfigInput,
  dataUri: string,
  outputUri: string,
  options: TrainModelOptions = {},
): Promise<TrainedModel> {
  return trainModel(parseTrainingConfig(config, 'the given config'), dataUri, outputUri, options);
}
