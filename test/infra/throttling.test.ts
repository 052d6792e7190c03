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
const machine = resolveTemplate(packagedTemplate('prod')).ScoringRun!.Properties!.Definition as Definition;

/** The retriers of throttling of all states that call a function. */
function throttledStates({ States }: Definition): [string, Retrier | undefined][] {
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
    if (ItemProcessor !== undefined) return throttledStates(ItemProcessor);
    // The first that fits is taken.
    const fits = ({ ErrorEquals }: Retrier) =>
      ErrorEquals.some((each) => [THROTTLED, 'States.ALL'].includes(each));
    return Resource === 'arn:aws:states:::lambda:invoke' ? [[name, Retry.find(fits)]] : [];
  });
}

/** Seconds before the next call, after so many that were turned down. */
function delaySeconds(retrier: Retrier, calls: number, random: RandomStream): number {
  const { IntervalSeconds, BackoffRate, MaxDelaySeconds = Number.POSITIVE_INFINITY } = retrier;
  const longest = Math.min(IntervalSeconds * BackoffRate ** (calls - 1), MaxDelaySeconds);
  return retrier.JitterStrategy === 'FULL' ? longest * random.nextUniform() : longest;
}

/**
 * So many units of a map, of which so many are asked for at a time and fewer are taken.
 * @returns how many were given up
 */
function givenUp(
  retrier: Retrier,
  {
    units,
    wanted,
    quota,
    unitSeconds,
  }: Readonly<Record<'units' | 'wanted' | 'quota' | 'unitSeconds', number>>,
): number {
  const random = new RandomStream(7);
  const ends: number[] = [];
  const calls: { second: number; turnedDown: number }[] = [];
  let [started, lost] = [0, 0];
  const startAt = (second: number) => {
    if (started++ < units) calls.push({ second, turnedDown: 0 });
  };
  for (let i = 0; i < wanted; i++) startAt(random.nextUniform());
  while (calls.length > 0) {
    calls.sort((a, b) => a.second - b.second);
    const { second, turnedDown } = calls.shift()!;
    if (ends.filter((end) => end > second).length < quota) {
      ends.push(second + unitSeconds);
      startAt(second + unitSeconds);
    } else if (turnedDown === retrier.MaxAttempts) {
      lost++;
      startAt(second);
    } else {
      const calledAgain = turnedDown + 1;
      calls.push({ second: second + delaySeconds(retrier, calledAgain, random), turnedDown: calledAgain });
    }
  }
  return lost;
}

describe('what Lambda turns down', () => {
  const states = throttledStates(machine);

  it('loses no unit of a night that asks for five times the quota of a new account', () => {
    const retrier = states.find(([name]) => name === 'ScoreUnit')![1]!;
    const night = { units: 150, wanted: 50, quota: 10, unitSeconds: 300 };
    expect(givenUp(retrier, night)).toBe(0);
    // What it takes: with twenty calls, most units of such a night were given up.
    expect(givenUp({ ...retrier, MaxAttempts: 20 }, night)).toBeGreaterThan(50);
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
