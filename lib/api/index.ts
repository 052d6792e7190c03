/**
 * What a program imports from `ncs4cvr`: the commands train, bundle, score, plan, run, resolve and export-scores as functions. URIs
 * are paths, `file://` or `s3://`; credentials come from where the AWS SDK looks for them.
 *
 * @packageDocumentation
 */
export {
  ContractError,
  type ErrorLocation,
  Ncs4cvrError,
  ProblemsError,
  StorageError,
} from '../base/errors.ts';
export type { ModelBundle } from '../bundle/loadBundle.ts';
export type { StateCopy } from '../copy/copyState.ts';
export type { PartitionChoice } from '../job/choosePartitions.ts';
export type { JobInput } from '../job/jobDocument.ts';
export type { BundledModel } from '../ownModel/bundleOwnModel.ts';
export type { ExecutedPartition } from '../publish/executePlan.ts';
export type { RunPlan } from '../publish/runPlan.ts';
export type { TrainingConfigInput } from '../recipe/trainingConfig.ts';
export type { TrainedModel, TrainModelOptions } from '../recipe/trainModel.ts';
export type { ScoringReport } from '../scoring/scoreInput.ts';
export type { ScoredShard } from '../scoring/scoreShard.ts';
export { bundleModel, type ModelFiles } from './bundleModel.ts';
export { exportScores, plan, publish, publishedFiles } from './publish.ts';
export { openBundle, scoreShard, scoreShards, type WorkerOptions } from './scoreShard.ts';
export { trainNcs } from './trainNcs.ts';
