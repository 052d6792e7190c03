import { describe, expect, it } from 'vitest';
import { halfValues, LARGEST_HALF, toHalf } from '../../lib/bundle/halfFloat.ts';

/** Bits of all halves but NaN and the infinities, and of those from 0 to the last but one. */
const finite = Array.from({ length: 0x10000 }, (_, bits) => bits).filter(
  (bits) => (bits & 0x7c00) !== 0x7c00,
);
const positive = finite.filter((bits) => bits < 0x7bff);
const values = halfValues();

describe('half floats', () => {
  it('have the values of IEEE 754: known ones, and every one in order', () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555].map((bits) => values[bits])).toEqual([
      1,
      -2,
      LARGEST_HALF,
      2 ** -14,
      2 ** -24,
      Math.fround(0.333251953125),
    ]);
    expect(positive.filter((bits) => values[bits + 1]! <= values[bits]!)).toEqual([]);
  });

  it('are what their own values become, sign of zero included', () => {
    expect(finite).toHaveLength(63_488);
    expect(finite.filter((bits) => toHalf(values[bits]!) !== bits)).toEqual([]);
  });

  it('are the nearest ones to other numbers, of two the even one, and end at the largest', () => {
    const between = (bits: number, share: number) =>
      toHalf((1 - share) * values[bits]! + share * values[bits + 1]!);
    expect(positive.filter((bits) => between(bits, 0.25) !== bits)).toEqual([]);
    expect(positive.filter((bits) => between(bits, 0.75) !== bits + 1)).toEqual([]);
    expect(positive.filter((bits) => between(bits, 0.5) !== bits + (bits % 2))).toEqual([]);
    expect([65_520, 1e9, Number.POSITIVE_INFINITY, -1e9].map(toHalf)).toEqual([
      0x7bff, 0x7bff, 0x7bff, 0xfbff,
    ]);
  });
});
