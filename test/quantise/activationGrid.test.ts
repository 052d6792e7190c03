import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { fitActivationGrid, toGrid } from '../../lib/quantise/activationGrid.ts';

const EVEN = Float64Array.of(1, 1);
const random = new RandomStream(5);
/** Two columns, uniform in [-1, 3]. */
const uniform = Float32Array.from({ length: 4000 }, () => 4 * random.nextUniform() - 1);

describe('fitActivationGrid', () => {
  it('spans the values, with an integer for 0 exactly', () => {
    const grid = fitActivationGrid({ columnCount: 2, values: uniform }, EVEN);
    expect(toGrid(grid, 0)).toBe(grid.zeroPoint);
    expect(grid.step).toBeCloseTo(4 / 255, 3);
    expect(grid.zeroPoint).toBeCloseTo(255 / 4, -1);
    for (const x of uniform) {
      expect(Math.abs((toGrid(grid, x) - grid.zeroPoint) * grid.step - x)).toBeLessThan(0.02);
    }
  });

  it('begins at 0 where no value is negative, as behind a ReLU', () => {
    const grid = fitActivationGrid({ columnCount: 2, values: uniform.map(Math.abs) }, EVEN);
    expect(grid.zeroPoint).toBe(0);
  });

  it('cuts off a few far values where that costs less than wider steps for all others', () => {
    // Cubes of normal values reach sixty times as far as most of them.
    const values = Float32Array.from({ length: 40_000 }, () => random.nextNormal() ** 3);
    const reach = Math.max(...values) - Math.min(...values);
    const { step } = fitActivationGrid({ columnCount: 2, values }, EVEN);
    expect(step * 255).toBeLessThan(0.9 * reach);
    expect(step * 255).toBeGreaterThan(0.3 * reach);
  });

  it('takes no notice of a column without weights', () => {
    const values = uniform.map((x, i) => (i % 2 === 0 ? x : 1000 * x));
    const grid = fitActivationGrid({ columnCount: 2, values }, Float64Array.of(1, 0));
    expect(grid.step).toBeCloseTo(4 / 255, 3);
  });

  it('counts the error of a column by the weights that it meets', () => {
    const values = Float32Array.from(
      { length: 20_000 },
      (_, i) => (i % 2 === 0 ? 30 : 1) * random.nextUniform(),
    );
    const stepBy = (first: number, second: number) =>
      fitActivationGrid({ columnCount: 2, values }, Float64Array.of(first, second)).step;
    // For the first column the grid must reach 30 above 0; for the second, narrower steps pay.
    expect(stepBy(1, 1e-9)).toBeGreaterThan(5 * stepBy(1e-9, 1));
  });

  it('holds a value that only other rows may have', () => {
    const values = Float32Array.from({ length: 4000 }, () => 0.01 * random.nextUniform());
    const grid = fitActivationGrid({ columnCount: 1, values, possible: 1 }, Float64Array.of(1));
    expect((toGrid(grid, 1) - grid.zeroPoint) * grid.step).toBeCloseTo(1, 6);
  });

  it('uses all of a byte, and holds what lies beyond to its ends', () => {
    const values = Float32Array.from({ length: 2560 }, (_, i) => (i % 256) / 255);
    const grid = fitActivationGrid({ columnCount: 1, values }, Float64Array.of(1));
    expect([grid.zeroPoint, 0.4, 1, 7, -1].map((x, i) => (i === 0 ? x : toGrid(grid, x)))).toEqual([
      0, 102, 255, 255, 0,
    ]);
  });

  it('has a step above 0 where every value is 0', () => {
    const grid = fitActivationGrid({ columnCount: 2, values: new Float32Array(8) }, EVEN);
    expect(grid).toEqual({ step: 1, zeroPoint: 0 });
  });
});
