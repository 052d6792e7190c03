import { ProblemsError } from '../base/errors.ts';
import { inputPartition } from '../job/readiness.ts';
import { joinUri, uriScheme } from '../storage/uri.ts';
import { cutPartition } from './cutPartition.ts';
import { digestOfParts, type Part } from './part.ts';
import type { PlannedPartition, RunPlan } from './runPlan.ts';
import { type Span, shardUri } from './span.ts';

/** What a deployed stage scores, and where to. */
export interface Stage {
  /** Folder of the input's partitions. */
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
  for (const { partition, inputUri } of partitions) {
    const expected = inputPartition(stage.inputUri, partition).inputUri;
    if (inputUri !== expected)
      problems.push(`${partition}: expected its shards in ${expected}, found ${inputUri}`);
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
export async function refuseStalePlan(plan: RunPlan, planUri: string): Promise<void> {
  const problems: string[] = [];
  for (const planned of plan.partitions) {
    const { partition, inputUri } = planned;
    const cut = (await cutPartition({ ...plan, partition, inputUri }))!;
    if (digestOfParts(cut.parts) === digestOfParts(planned.parts)) continue;
    problems.push(...changes(planned, spansOf(cut.parts)));
  }
  if (problems.length === 0) return;
  const summary = 'the input has changed since the plan was made; plan again';
  throw new ProblemsError('PLAN_STALE', summary, problems, { file: planUri });
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
