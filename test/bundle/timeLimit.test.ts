import { describe, expect, it } from 'vitest';
import { TimeIsOverError, TimeLimit } from '../../lib/bundle/timeLimit.ts';

const cell = new Int32Array(new SharedArrayBuffer(4));
/** Time passes, as for a process that gets no processor. */
const wait = (millis: number) => Atomics.wait(cell, 0, 0, millis);
const burn = (millis: number) => {
  const start = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(start);
    if (user + system >= 1000 * millis) return;
  }
};

describe('a time limit', () => {
  it('counts the time that work has of the processor, not that of the clock', () => {
    const limit = new TimeLimit(100);
    let begun = 0;
    const work = () => {
      begun++;
      burn(5);
      wait(300);
      return 'done';
    };
    expect(limit.run(work)).toBe('done');
    expect(begun).toBeGreaterThan(1);
    expect(limit.run(() => 'and again')).toBe('and again');
  });

  it('ends work that never ends, after not much more of the processor than that', () => {
    const start = process.cpuUsage();
    const endless = () => {
      for (;;);
    };
    expect(() => new TimeLimit(200).run(endless)).toThrow(TimeIsOverError);
    const { user, system } = process.cpuUsage(start);
    expect(user + system).toBeGreaterThan(150_000);
    expect(user + system).toBeLessThan(1_500_000);
  });

  it('ends work that waits for ever, too', () => {
    expect(() => new TimeLimit(10).run(() => wait(600_000))).toThrow(TimeIsOverError);
  });

  it('is one for all that runs under it, and passes on what that throws', () => {
    const limit = new TimeLimit(1500);
    limit.run(() => burn(250));
    expect(() => limit.run(() => burn(10_000))).toThrow(TimeIsOverError);
    expect(() => limit.run(() => 'late')).toThrow(TimeIsOverError);
    const thrown = new Error('of the work');
    expect(() =>
      new TimeLimit(1000).run(() => {
        throw thrown;
      }),
    ).toThrow(thrown);
  });
});
