import { describe, expect, it } from 'vitest';
import { type GatheredInput, type GatherPlan, inputProblems } from '../../lib/bundle/gatherPlan.ts';
import { syntheticLayout } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ singles: 2, lists: [3], numerics: 1 });
const blocks = [
  { field: 0, from: 0, to: 4 },
  { field: 1, from: 2, to: 6 },
  { field: 2, from: 0, to: 3 },
];
const input: GatheredInput = { name: 'x', blocks, columns: [0] };
const problemsOf = (...plan: GatherPlan) => inputProblems(plan, layout, 6);
const multiplying = (of: string, ...pairs: [number, number][]): GatheredInput => ({
  ...input,
  name: 'y',
  products: { input: of, pairs },
});

describe('products of a plan', () => {
  it('may be of blocks of any gathered input, the own one or another, and of a block with itself', () => {
    expect(problemsOf(input, multiplying('x', [0, 1], [1, 1]))).toEqual([]);
    expect(problemsOf(multiplying('y', [2, 2]))).toEqual([]);
  });

  it('are refused of an input that is not there, and of blocks that are not there or of several widths', () => {
    expect(problemsOf(input, multiplying('z', [0, 1]))).toEqual([
      "inputs.y: products of 'z', which isn't gathered",
    ]);
    const unfit = ["inputs.y: products of blocks of 'x' that aren't there or are not of one width"];
    expect(problemsOf(input, multiplying('x', [0, 3]))).toEqual(unfit);
    expect(problemsOf(input, multiplying('x', [0, 2]))).toEqual(unfit);
    expect(problemsOf(input, multiplying('x', [0, 1], [2, 2]))).toEqual(unfit);
  });
});
