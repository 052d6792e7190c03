import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { mapConcurrently } from '../../lib/base/mapConcurrently.ts';

test('results stand in the order of the items, whichever ends first, with as many at a time as allowed', async () => {
  let running = 0;
  let most = 0;
  const results = await mapConcurrently([30, 5, 20, 1, 10], 3, async (millis) => {
    most = Math.max(most, ++running);
    await sleep(millis);
    running--;
    return millis * 2;
  });
  expect(results).toEqual([60, 10, 40, 2, 20]);
  expect(most).toBe(3);
  expect(await mapConcurrently([], 3, async () => 1)).toEqual([]);
});

test('the first error is thrown once what had begun before it has ended, and nothing is begun after it', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const failing = mapConcurrently([1, 2, 3, 4, 5, 6], 3, async (item) => {
    begun.push(item);
    await sleep(item === 2 ? 1 : 10);
    ended.push(item);
    if (item > 1) throw new Error(`not ${item}`);
  });
  await expect(failing).rejects.toThrow('not 2');
  expect(begun).toEqual([1, 2, 3]);
  expect(ended.toSorted()).toEqual([1, 2, 3]);
});
