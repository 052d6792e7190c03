import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { inTime } from '../../functions/inTime.ts';

it('work that never ends is reported by name, with what the process waits for', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const never = new Promise<void>(() => {});
  await expect(inTime('the load', never, 20)).rejects.toMatchObject({
    code: 'CALL_STALLED',
    retryable: true,
    message: expect.stringMatching(/the load.*TCPServerWrap/s),
  });
  await new Promise((resolve) => server.close(resolve));
});

it('work that ends in time is itself, and leaves no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  expect(await inTime('the load', Promise.resolve(3), 60_000)).toBe(3);
  await expect(inTime('the load', Promise.reject(new Error('its own')), 60_000)).rejects.toThrow('its own');
  expect(timers()).toBe(before);
});
