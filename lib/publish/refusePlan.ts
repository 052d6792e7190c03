import { ProblemsError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { inputPartition } from '../job/choosePartitions.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri, uriScheme } from '../storage/uri.ts';
import type { RunPlan } from './runPlan.ts';

/** What a deployed stage scores, and where to. */
export interface Stage {
  /** Folder of the input's partitions. */
  readonly inputUri: string;
  /** Output root of the scores. */
  readonly scoresUri: string;
}

/** Shards whose version is looked up at a time. */
const STATS_AT_A_TIME = 16;

/**
 * Refuses a plan that isn't below the stage's output root, before it is read.
 * @throws ProblemsError PLAN_OTHER_STAGE
 */
export function refuseForeignPlanUri(uri: string, { scoresUri }: Stage): void {
  const folder = joinUri(scoresUri, 'plans', '');
  if (!uri.startsWith(folder)) throw otherStage([`expected a plan below ${folder}`], uri);
}

/**
 * Refuses a plan that wasn't made for a stage: of another output root, or of inputs that aren't the stage's partitions.
 * @throws ProblemsError PLAN_OTHER_STAGE naming every URI
 */
export function refuseForeignPlan({ root, partitions }: RunPlan, uri: string, stage: Stage): void {
  const problems: string[] = [];
  if (trimmed(root) !== trimmed(stage.scoresUri)) {
    problems.push(`scores go to ${root}, the stage's to ${stage.scoresUri}`);
  }
  for (const { partition, inputUri, spans } of partitions) {
    const expected = inputPartition(stage.inputUri, partition).inputUri;
    if (inputUri !== expected)
      problems.push(`${partition}: expected its shards in ${expected}, found ${inputUri}`);
    const outside = new Set(
      spans.map((span) => span.inputUri).filter((shard) => !shard.startsWith(`${inputUri}/`)),
    );
    for (const shard of outside) problems.push(`${partition}: ${shard} is outside of ${inputUri}`);
  }
  if (problems.length > 0) throw otherStage(problems, uri);
}

/**
 * Refuses a plan that only this machine can run.
 * @throws ProblemsError PLAN_NOT_IN_S3 naming every URI on disk
 */
export function refuseLocalPlan({ root, modelUri, partitions }: RunPlan, file: string): void {
  const uris = [root, modelUri, ...partitions.map(({ inputUri }) => inputUri)];
  const problems = uris.filter((uri) => uriScheme(uri) !== 's3');
  if (problems.length === 0) return;
  const summary = 'a state machine reads and writes s3:// URIs only; run it here, or plan with such URIs';
  throw new ProblemsError('PLAN_NOT_IN_S3', summary, problems, { file });
}

/**
 * Refuses a plan whose inputs have changed since: what was looked at would not be what runs.
 * @throws ProblemsError PLAN_STALE naming every shard
 */
export async function refuseStalePlan({ partitions }: RunPlan, planUri: string): Promise<void> {
  const versions = new Map(
    partitions.flatMap(({ spans }) => spans.map(({ inputUri, inputVersion }) => [inputUri, inputVersion])),
  );
  const found = await mapConcurrently([...versions], STATS_AT_A_TIME, async ([uri, planned]) => {
    const version = (await storageFor(uri).stat(uri))?.version;
    if (version === planned) return [];
    return [`${uri}: planned for version ${planned}, found ${version ?? 'no file'}`];
  });
  const problems = found.flat();
  if (problems.length === 0) return;
  const summary = 'the input has changed since the plan was made; plan again';
  throw new ProblemsError('PLAN_STALE', summary, problems, { file: planUri });
}

function otherStage(problems: readonly string[], file: string): ProblemsError {
  return new ProblemsError('PLAN_OTHER_STAGE', "the plan isn't for this stage of the deployment", problems, {
    file,
  });
}

function trimmed(uri: string): string {
  return uri.replace(/\/+$/, '');
}
