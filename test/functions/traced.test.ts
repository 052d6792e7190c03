import { afterEach, expect, it, vi } from 'vitest';
import { logger } from '../../functions/telemetry.ts';
import { annotate, traced } from '../../functions/traced.ts';

const info = vi.spyOn(logger, 'info').mockImplementation(() => {});
afterEach(() => info.mockClear());
const logged = () => info.mock.calls;

it('work is logged once, with its name, its duration and what was known before and found out during it', async () => {
  const work = async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    annotate('model', 'x');
    return 7;
  };
  expect(await traced('plan partition', { partition: 'dt=1' }, work)).toBe(7);
  expect(logged()).toEqual([
    [
      'plan partition',
      {
        span: 'plan partition',
        durationMillis: expect.any(Number),
        isDone: true,
        partition: 'dt=1',
        model: 'x',
      },
    ],
  ]);
  expect(logged()[0]![1]).toMatchObject({ durationMillis: expect.toSatisfy((millis) => millis >= 29) });
});

it('work that fails is logged as that, and fails as it does', async () => {
  const failure = new Error('as it is');
  await expect(traced('work', {}, () => Promise.reject(failure))).rejects.toBe(failure);
  expect(logged()).toEqual([['work failed', expect.objectContaining({ span: 'work', isDone: false })]]);
});

it('pieces of work at the same time, or within another one, keep what is theirs', async () => {
  annotate('model', 'of nothing');
  const piece = (name: string) =>
    traced(name, {}, async () => {
      await Promise.resolve();
      annotate('model', name);
    });
  await traced('outer', {}, async () => {
    await Promise.all([piece('a'), piece('b')]);
    annotate('outcome', 'published');
  });
  const found = logged().map(([, more]) => more as unknown as Record<string, unknown>);
  expect(found.map(({ span, model, outcome }) => [span, model, outcome])).toEqual([
    ['a', 'a', undefined],
    ['b', 'b', undefined],
    ['outer', undefined, 'published'],
  ]);
});
