import { describe, expect, it } from 'vitest';
import {
  type GatheredInput,
  type GatherPlan,
  inputProblems,
  inputWidth,
} from '../../lib/bundle/gatherPlan.ts';
import { type StoredLayer, storeLayer } from '../../lib/bundle/sparseLayers.ts';
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

describe('layers of a plan', () => {
  // 12 columns are gathered.
  const first = storeLayer(
    Float32Array.of(...new Array(10).fill(0), 1, 0, ...new Array(10).fill(0), 2, 3),
    Float32Array.of(4, 5),
  );
  const second = storeLayer(Float32Array.of(0, 1, 2, 3, 0, 0), Float32Array.of(1, 2, 3));
  const withLayers = (...layers: StoredLayer[]) => ({ ...input, layers });
  const broken = (change: Partial<StoredLayer>) => problemsOf(withLayers({ ...first, ...change }));

  it('make an input as wide as the last one has units', () => {
    expect(problemsOf(withLayers(first, second))).toEqual([]);
    expect(inputWidth(withLayers(first, second))).toBe(3);
    expect(inputWidth(input)).toBe(12);
  });

  it('are refused where they read what is not there, and where their arrays do not fit each other', () => {
    const notOfTwelve = ["inputs.x: layer 0 isn't one of 12 inputs"];
    expect(problemsOf(withLayers(second, first))).toEqual(["inputs.x: layer 1 isn't one of 3 inputs"]);
    expect(problemsOf({ ...withLayers(first), columns: [] })).toEqual([
      "inputs.x: layer 0 isn't one of 11 inputs",
    ]);
    expect(broken({ counts: second.counts })).toEqual(notOfTwelve);
    expect(broken({ weights: second.weights.slice(0, 4) })).toEqual(notOfTwelve);
    expect(broken({ biases: '', counts: '', inputs: '', weights: '' })).toEqual(notOfTwelve);
    expect(broken({ biases: 'AAAAAAA=' })).toEqual(notOfTwelve);
  });
});
