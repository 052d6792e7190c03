import { describe, expect, it } from 'vitest';
import { packagedTemplate } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import type { Definition } from '../support/stepFunctions/runStateMachine.ts';

// A state whose call never answers waits for as long as it says itself, or until the whole run times out after a day.
interface Task {
  readonly name: string;
  readonly Resource: string;
  readonly Parameters: { readonly FunctionName?: string };
  readonly TimeoutSeconds?: number;
  readonly Retry?: readonly { readonly ErrorEquals: readonly string[]; readonly MaxAttempts: number }[];
}

const resources = resolveTemplate(packagedTemplate('prod'));
const machine = resources.ScoringRun!.Properties!.Definition as Definition & {
  readonly TimeoutSeconds: number;
};
const tasks = tasksOf(machine);

function tasksOf({ States }: Definition): Task[] {
  return Object.entries(States).flatMap(([name, state]) => {
    if (state.Type === 'Task') return [{ ...(state as unknown as Task), name }];
    return 'ItemProcessor' in state ? tasksOf(state.ItemProcessor as Definition) : [];
  });
}

/** Of the function that a state calls, as it is deployed; none of a call of AWS itself. */
function functionSeconds({ Parameters: { FunctionName } }: Task): number {
  const called = Object.values(resources).find(
    ({ Type, Properties }) =>
      Type === 'AWS::Lambda::Function' && FunctionName?.endsWith(`:${Properties!.FunctionName}`),
  );
  return Number(called?.Properties?.Timeout ?? 0);
}

describe.each(tasks.map((task) => [task.name, task] as const))('the state %s', (_, task) => {
  const seconds = task.TimeoutSeconds ?? Number.POSITIVE_INFINITY;

  it('gives a lost answer up a minute after its function has ended, and never before', () => {
    expect(functionSeconds(task) > 0).toBe(task.Resource === 'arn:aws:states:::lambda:invoke');
    expect(seconds).toBeGreaterThanOrEqual(functionSeconds(task) + 60);
    expect(seconds).toBeLessThanOrEqual(functionSeconds(task) + 120);
  });

  it('then calls again, and has given up for good long before the run times out', () => {
    const retrier = task.Retry?.find(({ ErrorEquals }) =>
      ErrorEquals.some((each) => ['States.Timeout', 'States.ALL'].includes(each)),
    );
    expect(retrier?.MaxAttempts).toBeGreaterThanOrEqual(3);
    expect(seconds * (1 + retrier!.MaxAttempts)).toBeLessThan(machine.TimeoutSeconds / 8);
  });
});

it('all eight tasks are looked at, those of both maps too', () => {
  expect(tasks.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['Choose', 'PlanPartition', 'ScoreUnit', 'PublishPartition']),
  );
  expect(tasks).toHaveLength(8);
});
