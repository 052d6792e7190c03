import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { packagedTemplate } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import type { Definition } from '../support/stepFunctions/runStateMachine.ts';

// Lambda turns calls down beyond the account's quota: how long the packaged states go on asking, in time that is counted and not
// waited for. A state that gives up loses its unit, or a whole partition that is scored already.
interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds: number;
  readonly MaxAttempts: number;
  readonly BackoffRate: number;
  readonly MaxDelaySeconds?: number;
  readonly JitterStrategy: string;
}
const THROTTLED = 'Lambda.TooManyRequestsException';
/** What Lambda itself may answer at any time, as its best practice for state machines has them. */
const PASSING = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
];
const machine = resolveTemplate(packagedTemplate('prod')).ScoringRun!.Properties!.Definition as Definition;

/** All states that call a function, with the retrier that an error of this name meets. */
function callingStates({ States }: Definition, error: string): [string, Retrier | undefined][] {
  return Object.entries(States).flatMap(([name, state]): [string, Retrier | undefined][] => {
    const {
      ItemProcessor,
      Resource,
      Retry = [],
    } = state as {
      ItemProcessor?: Definition;
      Resource?: string;
      Retry?: Retrier[];
    };
    if (ItemProcessor !== undefined) return callingStates(ItemProcessor, error);
    // The first that fits is taken.
    const fits = ({ ErrorEquals }: Retrier) =>
      ErrorEquals.some((each) => [error, 'States.ALL'].includes(each));
    return Resource === 'arn:aws:states:::lambda:invoke' ? [[name, Retry.find(fits)]] : [];
  });
}

/** Seconds before the next call, after so many that were turned down. */
function delaySeconds(retrier: Retrier, calls: number, random: RandomStream): number {
  const { IntervalSeconds, BackoffRate, MaxDelaySeconds = Number.POSITIVE_INFINITY } = retrier;
  const longest = Math.min(IntervalSeconds * BackoffRate ** (calls - 1), MaxDelaySeconds);
  return retrier.JitterStrategy === 'FULL' ? longest * random.nextUniform() : longest;
}

/** A call that is made when the one before has ended. */
interface Step {
  readonly retrier: Retrier;
  readonly seconds: number;
}

/**
 * So much work of the same steps each, of which so much is begun at a time, and of which fewer calls are taken.
 * @returns how much was given up
 */
function givenUp(
  steps: readonly Step[],
  { pieces, wanted, quota }: Readonly<Record<'pieces' | 'wanted' | 'quota', number>>,
): number {
  const random = new RandomStream(7);
  let ends: number[] = [];
  const calls: { second: number; step: number; turnedDown: number }[] = [];
  let [started, lost] = [0, 0];
  const startAt = (second: number) => {
    if (started++ < pieces) calls.push({ second, step: 0, turnedDown: 0 });
  };
  for (let i = 0; i < wanted; i++) startAt(random.nextUniform());
  while (calls.length > 0) {
    calls.sort((a, b) => a.second - b.second);
    const { second, step, turnedDown } = calls.shift()!;
    const { retrier, seconds } = steps[step]!;
    ends = ends.filter((end) => end > second);
    if (ends.length < quota) {
      const end = second + seconds;
      ends.push(end);
      if (step + 1 < steps.length) calls.push({ second: end, step: step + 1, turnedDown: 0 });
      else startAt(end);
    } else if (turnedDown === retrier.MaxAttempts) {
      lost++;
      startAt(second);
    } else {
      const calledAgain = turnedDown + 1;
      const again = second + delaySeconds(retrier, calledAgain, random);
      calls.push({ second: again, step, turnedDown: calledAgain });
    }
  }
  return lost;
}

describe('what Lambda turns down', () => {
  const states = callingStates(machine, THROTTLED);
  const retrierOf = (name: string) => states.find(([each]) => each === name)![1]!;

  it('loses no unit of a night that asks for five times the quota of a new account', () => {
    const retrier = retrierOf('ScoreUnit');
    const night = { pieces: 150, wanted: 50, quota: 10 };
    expect(givenUp([{ retrier, seconds: 300 }], night)).toBe(0);
    // What it takes: with twenty calls, most units of such a night were given up.
    const impatient = { ...retrier, MaxAttempts: 20 };
    expect(givenUp([{ retrier: impatient, seconds: 300 }], night)).toBeGreaterThan(50);
  });

  it('loses no run of a year that is copied into the input at once, of which each day starts its own', () => {
    const step = (name: string, seconds: number) => ({ retrier: retrierOf(name), seconds });
    const run = [
      ...[step('Choose', 2), step('PlanPartition', 3), step('ScoreUnit', 60), step('PublishPartition', 3)],
      ...[step('FinishArrival', 1), step('RecordRun', 1)],
    ];
    const year = { pieces: 400, wanted: 400, quota: 10 };
    expect(givenUp(run, year)).toBe(0);
    // What it takes: who asks for half an hour has waited in vain behind the units of the others.
    const hasty = { IntervalSeconds: 2, MaxAttempts: 120, BackoffRate: 2, MaxDelaySeconds: 30 };
    const [choose, ...rest] = run;
    const halfAnHour = { ...choose!, retrier: { ...choose!.retrier, ...hasty } };
    expect(givenUp([halfAnHour, ...rest], year)).toBeGreaterThan(50);
  });

  it.each(states)('is asked for again by %s for as long as a long unit takes', (_, retrier) => {
    const random = new RandomStream(7);
    const seconds = Array.from({ length: retrier!.MaxAttempts }, (_call, index) =>
      delaySeconds(retrier!, index + 1, random),
    ).reduce((sum, each) => sum + each, 0);
    expect(seconds).toBeGreaterThan(900);
    // Its history ends at 25,000 events, of which a call has a few.
    expect(retrier!.MaxAttempts).toBeLessThanOrEqual(1000);
  });
});

it.each(PASSING)('%s is met with another call by every state', (error) => {
  const states = callingStates(machine, error);
  expect(states.length).toBeGreaterThan(6);
  expect(states.filter(([, retrier]) => !(Number(retrier?.MaxAttempts) >= 3))).toEqual([]);
});
