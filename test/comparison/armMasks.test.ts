import { describe, expect, it } from 'vitest';
import { perTask, TASKS } from '../../lib/base/tasks.ts';
import { permuteConversions, randomMasks } from '../../lib/comparison/armMasks.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { SYNTHETIC_NCS, syntheticLayout, syntheticMasks, syntheticRows } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({});
const shape = networkShape(SYNTHETIC_NCS, layout);
const set = syntheticRows(layout, 50);

describe('controls', () => {
  it('random masks keep as many connections a layer, elsewhere', () => {
    const masks = syntheticMasks(shape, 0.3);
    const random = randomMasks(masks, 5);
    for (const task of TASKS) {
      masks[task].forEach((layer, index) => {
        const count = (bits: Uint8Array) => bits.reduce((sum, bit) => sum + bit, 0);
        expect(count(random[task][index]!)).toBe(count(layer));
        expect(random[task][index]).not.toEqual(layer);
      });
    }
    expect(randomMasks(masks, 5)).toEqual(random);
    expect(perTask((task) => random[task]).click).not.toEqual(random.conversion);
  });

  it('permuted conversions have the same number among the clicked rows and leave the rest alone', () => {
    const permuted = permuteConversions(set, 1);
    const clicked = [...set.click.keys()].filter((row) => set.click[row] === 1);
    const sorted = (values: Float32Array) => clicked.map((row) => values[row]!).sort();
    expect(sorted(permuted.conversion)).toEqual(sorted(set.conversion));
    expect(permuted.conversion).not.toEqual(set.conversion);
    set.click.forEach((click, row) => {
      if (click === 0) expect(permuted.conversion[row]).toBe(set.conversion[row]);
    });
  });

  it('permuted conversions leave unknown ones unknown, and give them to no other row', () => {
    const clicked = [...set.click.keys()].filter((row) => set.click[row] === 1);
    const isUnknown = (row: number) => clicked.indexOf(row) % 3 === 0;
    const conversion = set.conversion.map((value, row) => (isUnknown(row) ? Number.NaN : value));
    const permuted = permuteConversions({ ...set, conversion }, 1);
    for (const row of clicked) expect(Number.isNaN(permuted.conversion[row]!), `${row}`).toBe(isUnknown(row));
  });
});
