import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { mayPass, pauseMillis, retry } from '../../lib/base/retry.ts';
import { stoppedClock } from '../support/stoppedClock.ts';

const passing = new Ncs4cvrError('X_BUSY', 'busy', { retryable: true });
const LAW = { attempts: 4, firstPauseMillis: 100, growth: 2, longestPauseMillis: 300 };

/** Fails with the given errors one after the other, then gives their number. */
function failing(...errors: readonly unknown[]) {
  const left = [...errors];
  let calls = 0;
  return async () => {
    calls++;
    if (left.length > 0) throw left.shift();
    return calls;
  };
}

describe('retry', () => {
  it('does the work again while the error says that it may pass', async () => {
    const clock = stoppedClock();
    expect(await retry(failing(passing, passing, passing), LAW, { clock })).toBe(4);
    expect(clock.pauses).toHaveLength(3);
  });

  it('throws the last error when all attempts are used up', async () => {
    const clock = stoppedClock();
    const last = new Ncs4cvrError('X_LAST', 'last', { retryable: true });
    const work = failing(passing, passing, passing, last, passing);
    await expect(retry(work, LAW, { clock })).rejects.toBe(last);
    expect(clock.pauses).toHaveLength(3);
  });

  it.each([new Ncs4cvrError('X_WRONG', 'wrong'), new Error('a bug'), 'a string', undefined])(
    'is over at once with what no retry can help: %s',
    async (error) => {
      const clock = stoppedClock();
      await expect(retry(failing(error), LAW, { clock })).rejects.toBe(error);
      expect(clock.pauses).toEqual([]);
    },
  );

  it("goes by the caller's own judgement instead, when there is one", async () => {
    const clock = stoppedClock();
    const isWorthwhile = (error: unknown) => error === 'again';
    expect(await retry(failing('again', 'again'), LAW, { clock, isWorthwhile })).toBe(3);
    await expect(retry(failing(passing), LAW, { clock, isWorthwhile })).rejects.toBe(passing);
  });

  it('begins no try after the limit, however many attempts are left', async () => {
    const clock = stoppedClock();
    const law = { firstPauseMillis: 10, growth: 1, longestPauseMillis: 10, limitMillis: 1000 };
    const endless = async () => {
      throw passing;
    };
    await expect(retry(endless, law, { clock })).rejects.toBe(passing);
    const waited = clock.pauses.reduce((sum, pause) => sum + pause, 0);
    expect(waited).toBeGreaterThanOrEqual(1000);
    expect(waited - clock.pauses.at(-1)!).toBeLessThan(1000);
  });
});

describe('a pause', () => {
  it.each([
    [1, 100],
    [2, 200],
    [3, 300],
    [20, 300],
  ])('after try %i is 50%% to 150%% of %i ms, spread over all of it', (attempt, middle) => {
    const pauses = Array.from({ length: 400 }, () => pauseMillis(LAW, attempt) / middle);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...pauses)).toBeLessThan(1.5);
    expect(Math.min(...pauses)).toBeLessThan(0.55);
    expect(Math.max(...pauses)).toBeGreaterThan(1.45);
  });
});

it('only an error that says so may pass', () => {
  expect([passing, new Ncs4cvrError('X', 'x'), new Error('x'), null].map(mayPass)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
