import {
  Binary,
  type Data,
  DateMillisecond,
  FixedSizeBinary,
  Int32,
  makeData,
  TimestampMillisecond,
  Uint8,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { RepeatedKeyShare } from '../../lib/keys/repeatedKeyShare.ts';
import { batchOf, columnOf, int64s, strings } from '../features/arrowBatches.ts';

function shareOf(...days: readonly Readonly<Record<string, Data>>[]): number {
  const keys = new RepeatedKeyShare(Object.keys(days[0]!));
  for (const [index, columns] of days.entries()) keys.add(batchOf(columns), `day ${index}`);
  return keys.largestShare();
}

describe('repeated keys', () => {
  it('are rows whose whole tuple was there before, on the same day', () => {
    const first = { user: int64s([1, 1, 2, 1]), item: strings(['a', 'b', 'a', 'a']) };
    const second = { user: int64s([1, 2]), item: strings(['a', 'a']) };
    expect(shareOf(first, second)).toBe(1 / 4);
    expect(shareOf(second, first)).toBe(1 / 4);
    expect(shareOf(second)).toBe(0);
  });

  it('are found across batches of a day, whose rows may come in any pieces', () => {
    const keys = new RepeatedKeyShare(['user']);
    const batch = batchOf({ user: int64s([5, 6, 5, 7, 5, 6]) });
    for (let row = 0; row < 6; row++) keys.add(batch.slice(row, row + 1), undefined);
    expect(keys.largestShare()).toBe(3 / 6);
  });

  it('of the day that has most of them count, as a share of all its rows', () => {
    expect(shareOf({ a: int64s([1, 1, 1, 2]) }, { a: int64s([1, 1]) }, { a: int64s([3]) })).toBe(1 / 2);
  });

  it('are none where the key, or a part of it, is null', () => {
    expect(shareOf({ a: int64s([null, null, 4, 4]), b: strings(['x', 'x', null, null]) })).toBe(0);
    expect(shareOf({ a: int64s([null, null, 4, 4]), b: strings(['x', 'x', 'y', 'y']) })).toBe(1 / 4);
  });

  it('keep apart parts that only joined are the same text', () => {
    expect(shareOf({ a: strings(['ab', 'a', '']), b: strings(['c', 'bc', 'abc']) })).toBe(0);
  });

  const bytes = (values: readonly string[]) => values.map((value) => Buffer.from(value));
  it.each<[string, (values: readonly number[]) => Data]>([
    ['bytes', (values) => columnOf(new Binary(), bytes(values.map((value) => `key ${value}`)))],
    [
      'bytes of a fixed size',
      (values) =>
        makeData({
          type: new FixedSizeBinary(3),
          length: values.length,
          data: Uint8Array.from(values.flatMap((value) => [1, value, 2])),
        }),
    ],
    [
      'dates',
      (values) =>
        columnOf(
          new DateMillisecond(),
          values.map((value) => new Date(value * 86_400_000)),
        ),
    ],
    [
      'timestamps',
      (values) =>
        columnOf(
          new TimestampMillisecond(),
          values.map((value) => new Date(value)),
        ),
    ],
    ['bytes as numbers', (values) => columnOf(new Uint8(), values)],
  ])('can be of every type that row keys have: %s', (_title, column) => {
    expect(shareOf({ key: column([1, 2, 3, 2]) })).toBe(1 / 4);
    expect(shareOf({ key: column([1, 2, 3, 4]) })).toBe(0);
    // Slices begin elsewhere in the same buffers.
    const keys = new RepeatedKeyShare(['key']);
    keys.add(batchOf({ key: column([9, 9, 9, 1, 2]) }).slice(3, 5), undefined);
    keys.add(batchOf({ key: column([8, 8, 2, 3]) }).slice(2, 4), undefined);
    expect(keys.largestShare()).toBe(1 / 4);
  });

  it('are none on a day without rows, which hides no other day', () => {
    const none = { key: int64s([]) };
    expect(shareOf(none)).toBe(0);
    expect(shareOf({ key: int64s([1, 1]) }, none)).toBe(1 / 2);
  });

  it('are the same numbers in columns of any width', () => {
    const keys = new RepeatedKeyShare(['key']);
    keys.add(batchOf({ key: int64s([-1, 7]) }), undefined);
    keys.add(batchOf({ key: columnOf(new Int32(), [-1, 8]) }), undefined);
    expect(keys.largestShare()).toBe(1 / 4);
  });
});
