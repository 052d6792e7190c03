import { expect, it } from 'vitest';
import { tracer } from '../../functions/telemetry.ts';
import { annotate, traced } from '../../functions/traced.ts';

it('outside of Lambda nothing is traced: the work is done as it is, and fails as it does', async () => {
  expect(process.env.AWS_EXECUTION_ENV).toBeUndefined();
  expect(tracer.isTracingEnabled()).toBe(false);
  let parent: unknown = 'not called';
  const work = async () => {
    annotate('model', 'x');
    parent = tracer.provider.getSegment();
    return 7;
  };
  expect(await traced('work', { partition: 'dt=1' }, work)).toBe(7);
  expect(parent).toBeUndefined();
  const failure = new Error('as it is');
  await expect(traced('work', {}, () => Promise.reject(failure))).rejects.toBe(failure);
});
