import { messageOf } from '../base/errors.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { requestsToLoad } from '../bundle/loadBundle.ts';
import { estimateRun } from '../estimate/estimateRun.ts';
import { readPrices } from '../estimate/readPrices.ts';
import { NOT_COUNTED, type UnitCost, unitCost } from '../estimate/unitCost.ts';
import { describePointer } from '../publish/pointer.ts';
import { type VisibleState, visibleStates } from '../publish/publishedState.ts';
import { refuseLocalPlan, refuseStalePlan } from '../publish/refusePlan.ts';
import { type RunPlan, writeRunPlan } from '../publish/runPlan.ts';
import { unitsOfRun } from '../report/mapResults.ts';
import type { Execution } from '../stateMachine/execution.ts';
import { followExecution } from '../stateMachine/followExecution.ts';
import { startRun } from '../stateMachine/startRun.ts';
import { openStepFunctions, type StepFunctions } from '../stateMachine/stepFunctions.ts';
import { storageFor } from '../storage/openStorage.ts';
import {
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_HELD,
  formatSeconds,
  ProgressLine,
  printJson,
  printNote,
} from './terminal.ts';

/** Follows an execution with progress on stderr. @throws Ncs4cvrError RUN_FAILED unless it succeeds */
export async function waitForExecution(
  sfn: StepFunctions,
  executionArn: string,
  redriveCount = 0,
): Promise<Execution> {
  const line = new ProgressLine();
  try {
    return await followExecution(sfn, executionArn, {
      redriveCount,
      onProgress: (seconds, maps) =>
        line.update(`running for ${formatSeconds(seconds)}  ${maps ?? 'planning'}`),
    });
  } finally {
    line.clear();
  }
}

export interface StateMachineRun {
  /** File that the plan was read from. */
  readonly planFile: string;
  readonly stateMachineArn: string;
  readonly wait: boolean;
  readonly json: boolean;
}

/**
 * Starts the state machine with a plan; the execution's ARN goes to stdout. After a wait, what readers see of every
 * partition.
 * @returns the exit code: done only if all of it is as planned, or nothing was waited for
 */
export async function runInStateMachine(
  plan: RunPlan,
  { planFile, stateMachineArn, wait, json }: StateMachineRun,
): Promise<number> {
  refuseLocalPlan(plan, planFile);
  await refuseStalePlan(plan, planFile);
  const written = await writeRunPlan(plan);
  const sfn = await openStepFunctions(stateMachineArn);
  const started = await startRun(sfn, stateMachineArn, written);
  const { executionArn, startDate } = started;
  if (!json) process.stdout.write(`${executionArn}\n`);
  printNote(`runs since ${startDate.toISOString()} with ${written.uri}`);
  if (!wait) {
    if (json) printJson({ ...started, planUri: written.uri });
    printNote(
      'the same command with --wait follows it; ' +
        `\`ncs4cvr status --scores ${plan.root}\` shows what is published`,
    );
    return EXIT_DONE;
  }
  await waitForExecution(sfn, executionArn);
  const [states, cost] = await Promise.all([
    visibleStates(plan),
    costOf(plan, nameOfExecution(executionArn)),
  ]);
  if (json) printJson({ ...started, planUri: written.uri, partitions: states, cost });
  else process.stdout.write(states.map(summarise).join(''));
  if (cost?.actual != null) {
    const { dollars, gigabyteSeconds, calls, counted, units } = cost.actual;
    printNote(
      `cost: $${dollars.toFixed(4)}, planned $${cost.planned.dollars.toFixed(4)}; ${gigabyteSeconds.toFixed(1)} GB-s in ` +
        `${calls} calls of ${counted} of ${units} units; ${NOT_COUNTED}`,
    );
  }
  const others = states.filter(({ isAsPlanned }) => !isAsPlanned);
  if (others.length === 0) return EXIT_DONE;
  return others.every(({ pointer }) => pointer !== null) ? EXIT_HELD : EXIT_FAILED;
}

/** A run's cost as it was planned, all of it, and what its units say that they have taken; null where none says so. */
interface RunCost {
  readonly planned: { readonly minutes: number; readonly dollars: number };
  readonly actual: UnitCost | null;
}

/** Null where it can't be told: the run is what it is all the same. @param name of the execution */
async function costOf(plan: RunPlan, name: string): Promise<RunCost | null> {
  try {
    return await readCost(plan, name);
  } catch (error) {
    printNote(`note: what the run has cost could not be read: ${messageOf(error)}`);
    return null;
  }
}

/** With the prices that come with the project. */
async function readCost(plan: RunPlan, name: string): Promise<RunCost> {
  const [prices, manifest, units = []] = await Promise.all([
    readPrices(),
    readBundleManifest(storageFor(plan.modelUri), plan.modelUri),
    unitsOfRun(plan.root, name),
  ]);
  const { minutes, dollars } = estimateRun(plan, requestsToLoad(manifest.files), prices);
  const actual = unitCost(
    units.map(({ usage }) => usage),
    prices,
  );
  return { planned: { minutes, dollars }, actual: actual.counted === 0 ? null : actual };
}

function nameOfExecution(arn: string): string {
  return arn.slice(arn.lastIndexOf(':') + 1);
}

function summarise({ partition, pointer, isAsPlanned }: VisibleState): string {
  if (pointer === null) return `${partition}: not published\n`;
  const isHeld = pointer.hold !== null;
  const why = isHeld ? `, held: ${pointer.hold}` : ', published after this plan was made';
  return `${partition}: ${describePointer(pointer)}${isAsPlanned ? '' : why}\n`;
}
