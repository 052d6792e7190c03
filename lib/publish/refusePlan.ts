import { ProblemsError } from '../base/errors.ts';
import { folderPartition, type InputPartition, isFileList } from '../job/jobInput.ts';
import { joinUri, uriScheme } from '../storage/uri.ts';
import { cutPartition } from './cutPartition.ts';
import { digestOfParts, type Part } from './part.ts';
import { type PlannedPartition, type RunPlan, runsOfPlan } from './runPlan.ts';
import { type Span, shardUri } from './span.ts';

/** What a deployed stage scores, and where to. */
export interface Stage {
  /** Folder of the input's partitions, or a list of its files. */
  readonly inputUri: string;
  /** Output root of the scores. */
  readonly scoresUri: string;
}

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
  for (const { partition, inputUri, fileList } of partitions.flatMap(inputsOf)) {
    // Where the files of a list are is asked of the list itself, when the partition is planned.
    const expected = isFileList(stage.inputUri)
      ? stage.inputUri
      : folderPartition(stage.inputUri, partition).inputUri;
    const found = fileList?.uri ?? inputUri;
    if (found !== expected) problems.push(`${partition}: expected its shards in ${expected}, found ${found}`);
  }
  if (problems.length > 0) throw otherStage([...new Set(problems)], uri);
}

/**
 * Refuses a plan that only this machine can run.
 * @throws ProblemsError PLAN_NOT_IN_S3 naming every URI on disk
 */
export function refuseLocalPlan({ root, modelUri, partitions }: RunPlan, file: string): void {
  const uris = [
    root,
    modelUri,
    ...partitions
      .flatMap(inputsOf)
      .flatMap(({ inputUri, fileList }) => [inputUri, ...(fileList === undefined ? [] : [fileList.uri])]),
  ];
  const problems = [...new Set(uris)].filter((uri) => uriScheme(uri) !== 's3');
  if (problems.length === 0) return;
  const summary = 'a state machine reads and writes s3:// URIs only; run it here, or plan with such URIs';
  throw new ProblemsError('PLAN_NOT_IN_S3', summary, problems, { file });
}

/**
 * Refuses a plan whose inputs have changed since: what was looked at would not be what runs.
 * @throws ProblemsError PLAN_STALE naming every shard, and a list of files that isn't the planned one
 */
export async function refuseStalePlan(plan: RunPlan, planUri: string): Promise<void> {
  const changedShards: string[] = [];
  const changedLists = new Set<string>();
  for (const [index, run] of runsOfPlan(plan).entries()) {
    const planned = plan.partitions[index]!;
    const cut = (await cutPartition(run))!;
    if (run.fileList !== undefined && run.fileList.sha256 !== cut.fileList!.sha256) {
      changedLists.add(`${run.fileList.uri}: the list of files has changed`);
    }
    if (digestOfParts(cut.parts) === digestOfParts(planned.parts)) continue;
    changedShards.push(...changes(planned, spansOf(cut.parts)));
  }
  const problems = [...changedLists, ...changedShards];
  if (problems.length === 0) return;
  const summary = 'the input has changed since the plan was made; plan again';
  throw new ProblemsError('PLAN_STALE', summary, problems, { file: planUri });
}

/** What is read of a partition: its own input, and the days, hours and regions that it is compared with. */
function inputsOf(planned: PlannedPartition): InputPartition[] {
  const { unpublished = [], beside } = planned.earlier;
  return [planned, ...unpublished, ...(beside?.inputs ?? [])];
}

function spansOf(parts: readonly Part[]): Span[] {
  return parts.flatMap(({ spans }) => spans);
}

/** What has become of a partition's shards. */
function changes({ partition, inputUri, parts }: PlannedPartition, now: readonly Span[]): string[] {
  const versionsIn = (spans: readonly Span[]) => new Map(spans.map(({ shard, version }) => [shard, version]));
  const planned = versionsIn(spansOf(parts));
  const found = versionsIn(now);
  const problems = [...new Set([...planned.keys(), ...found.keys()])].flatMap((shard) => {
    const [before, after] = [planned.get(shard), found.get(shard)];
    if (before === after) return [];
    const uri = shardUri(inputUri, shard);
    if (before === undefined) return [`${uri}: not in the plan`];
    return [`${uri}: planned for version ${before}, found ${after ?? 'no such shard, or a broken one'}`];
  });
  return problems.length > 0 ? problems : [`${partition}: its shards are cut in another way`];
}

function otherStage(problems: readonly string[], file: string): ProblemsError {
  return new ProblemsError('PLAN_OTHER_STAGE', "the plan isn't for this stage of the deployment", problems, {
    file,
  });
}

function trimmed(uri: string): string {
  return uri.replace(/\/+$/, '');
}
