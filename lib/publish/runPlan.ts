import { z } from 'zod';
import { ProblemsError } from '../errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import { decodeJson } from './jsonDocument.ts';
import { type ModelIdentity, modelIdentitySchema } from './modelIdentity.ts';
import { partSpecSchema } from './partSpec.ts';
import { planPartition } from './planPartition.ts';
import type { InputPartition } from './selectPartitions.ts';

const runPlanSchema = z.strictObject({
  formatVersion: z.literal(1),
  modelUri: z.string(),
  model: modelIdentitySchema,
  /** Output root of the scores. */
  root: z.string(),
  targetRows: z.int().min(1),
  liftHold: z.boolean(),
  partitions: z.array(
    z.strictObject({
      partition: z.string(),
      inputUri: z.string(),
      basedOnGeneration: z.int().min(0),
      sizeBytes: z.int(),
      /** All spans of the partition's input, in order. */
      specs: z.array(partSpecSchema),
      /** Places in `specs` of what was done when the plan was made: same input version, model and contract. */
      done: z.array(z.int().min(0)),
    }),
  ),
});

/** What a run would do, exactly: the input versions it is for are part of it. */
export type RunPlan = Readonly<z.infer<typeof runPlanSchema>>;

export interface RunRequest {
  readonly modelUri: string;
  readonly model: ModelIdentity;
  readonly root: string;
  readonly targetRows: number;
  readonly liftHold: boolean;
}

export async function makeRunPlan(
  request: RunRequest,
  partitions: readonly InputPartition[],
): Promise<RunPlan> {
  const { root, model, targetRows } = request;
  const planned: RunPlan['partitions'] = [];
  for (const { partition, inputUri } of partitions) {
    const plan = await planPartition(inputUri, { root, partition, model }, targetRows);
    planned.push({
      partition,
      inputUri,
      basedOnGeneration: plan.basedOnGeneration,
      sizeBytes: plan.sizeBytes,
      specs: [...plan.specs],
      done: plan.receipts.flatMap((receipt, index) => (receipt === undefined ? [] : [index])),
    });
  }
  return { formatVersion: 1, ...request, partitions: planned };
}

/** @throws PublishError PUBLISH_DOCUMENT_INVALID */
export async function readRunPlan(uri: string): Promise<RunPlan> {
  return decodeJson(await storageFor(uri).readWhole(uri), runPlanSchema, uri);
}

/**
 * Refuses a plan whose inputs have changed since: what was looked at would not be what runs.
 * @throws ProblemsError PLAN_STALE naming every shard
 */
export async function refuseStalePlan({ partitions }: RunPlan, planUri: string): Promise<void> {
  const versions = new Map(
    partitions.flatMap(({ specs }) => specs.map(({ inputUri, inputVersion }) => [inputUri, inputVersion])),
  );
  const problems: string[] = [];
  for (const [uri, planned] of versions) {
    const found = await storageFor(uri).stat(uri);
    if (found?.version === planned) continue;
    problems.push(`${uri}: planned for version ${planned}, found ${found?.version ?? 'no file'}`);
  }
  if (problems.length === 0) return;
  throw new ProblemsError(
    'PLAN_STALE',
    'the input has changed since the plan was made; plan again',
    problems,
    {
      file: planUri,
    },
  );
}
