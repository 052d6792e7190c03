import { expect, test } from 'vitest';
import { GrowableArray } from '../../lib/metrics/growableArray.ts';

const counting = (count: number) => {
  const array = GrowableArray.int32();
  for (let item = 0; item < count; item++) array.push(item);
  return array;
};
const upTo = (count: number) => Array.from({ length: count }, (_, item) => item);

test('holds what was pushed, past every capacity it grows through', () => {
  for (const count of [0, 1023, 1024, 1025, 5000]) {
    const array = counting(count);
    expect(array.length).toBe(count);
    expect([...array.view()]).toEqual(upTo(count));
  }
});

test('appends an array that is many times larger, and many that are smaller', () => {
  const array = counting(3);
  array.append(counting(9000));
  expect([...array.view()]).toEqual([...upTo(3), ...upTo(9000)]);
  for (let i = 0; i < 10; i++) array.append(counting(500));
  expect(array.length).toBe(9003 + 5000);
  expect([...array.view().subarray(-500)]).toEqual(upTo(500));
});

test('takes memory for at most twice its content, and a push costs no copy of the rest', () => {
  const array = GrowableArray.float32();
  const capacities = new Set<number>();
  for (let item = 0; item < 100_000; item++) {
    array.push(item);
    capacities.add(array.view().buffer.byteLength);
  }
  // From 1024 numbers to 131,072, doubling: eight allocations.
  expect([...capacities]).toEqual(Array.from({ length: 8 }, (_, i) => 4 * 1024 * 2 ** i));
});

test('appends into the room that it has', () => {
  const array = counting(3);
  const { buffer } = array.view();
  for (let i = 0; i < 10; i++) array.append(counting(100));
  expect(array.view().buffer).toBe(buffer);
});

test('keeps float32 and int32 numbers as such', () => {
  const floats = GrowableArray.float32();
  floats.push(0.1);
  expect(floats.view()).toEqual(Float32Array.of(0.1));
  expect(counting(2).view()).toEqual(Int32Array.of(0, 1));
});
