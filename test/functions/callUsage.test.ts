import { afterEach, expect, it, vi } from 'vitest';
import { startCallClock, usageWith } from '../../functions/callUsage.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it("of a unit adds up over the calls that hand it on, by the function's memory", () => {
  vi.stubEnv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE', '2048');
  const first = usageWith(undefined, 1500);
  expect(first).toEqual({ gigabyteSeconds: 3, calls: 1 });
  expect(usageWith(first, 250)).toEqual({ gigabyteSeconds: 3.5, calls: 2 });
});

it.each([undefined, '', 'much'])('is unknown where the memory is %s', (memory) => {
  vi.stubEnv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE', memory);
  expect(usageWith({ gigabyteSeconds: 3, calls: 1 }, 1500)).toBeUndefined();
});

it("counts the start of the process in its first call's time, and no further one's", () => {
  const clock = vi.spyOn(performance, 'now');
  clock.mockReturnValue(700);
  const first = startCallClock();
  clock.mockReturnValue(1700);
  expect(first.billedMillis()).toBe(1700);
  clock.mockReturnValue(9000);
  const second = startCallClock();
  clock.mockReturnValue(9500);
  expect(second.billedMillis()).toBe(500);
});
