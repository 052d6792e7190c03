import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { findState } from '../publish/findState.ts';
import { makeRunPlan } from '../publish/makeRunPlan.ts';
import { SHADOW_FOLDER } from '../publish/outputLayout.ts';
import type { ModelAt } from '../publish/partitionRun.ts';
import type { RunPlan } from '../publish/runPlan.ts';
import { fileKey, joinUri } from '../storage/uri.ts';
import { type DiffOptions, diffStates, type StateDiff } from './diffStates.ts';

/**
 * The plan of a shadow run: the partitions of a plan scored by another model, below an output root of its own, so that no
 * reader of the plan's root sees anything of it. What an earlier shadow run of the model has done is done.
 * @param root of the shadow's scores; by default a hidden folder of the plan's root, one for each model
 * @throws Ncs4cvrError PLAN_SHADOW_IS_LIVE when it is the plan's root; see makeRunPlan
 */
export async function makeShadowPlan(
  plan: RunPlan,
  { uri, model }: ModelAt,
  root: string | undefined,
): Promise<RunPlan> {
  const { partitions, codeVersion: _, formatVersion: __, ...settings } = plan;
  const name = sha256(`${model.sha256} ${model.contractFingerprint}`).slice(0, 12);
  const shadowRoot = root ?? joinUri(plan.root, SHADOW_FOLDER, name);
  if (keyOf(shadowRoot) === keyOf(plan.root)) {
    throw new Ncs4cvrError('PLAN_SHADOW_IS_LIVE', 'a shadow needs an output root of its own', {
      file: shadowRoot,
      expected: 'another root than the one of the plan',
    });
  }
  const shadow = { ...settings, modelUri: uri, model, root: shadowRoot, liftHold: false };
  return (await makeRunPlan(shadow, partitions)).plan;
}

function keyOf(root: string): string {
  return fileKey(root.replace(/\/+$/, ''));
}

/**
 * What readers would see change if the shadow's model scored for them.
 * @returns undefined for a partition that nothing is published of in the plan's root
 */
export async function diffShadow(
  plan: Pick<RunPlan, 'root'>,
  shadow: Pick<RunPlan, 'root'>,
  partition: string,
  options: DiffOptions,
): Promise<StateDiff | undefined> {
  const shadowed = await findState(shadow.root, partition, 'current');
  try {
    return await diffStates(await findState(plan.root, partition, 'current'), shadowed, options);
  } catch (error) {
    if (error instanceof Ncs4cvrError && error.code === 'PUBLISH_NOTHING') return undefined;
    throw error;
  }
}
