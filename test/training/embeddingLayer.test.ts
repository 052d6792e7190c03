import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { EmbeddingLayer, SparseGradient } from '../../lib/training/embeddingLayer.ts';
import { naiveFields } from '../fixtures/naiveNetwork.ts';
import { syntheticLayout, syntheticRows } from '../fixtures/syntheticModel.ts';

const WIDTH = 3;

function setUp(size = {}) {
  const layout = syntheticLayout(size);
  const set = syntheticRows(layout, 40);
  const random = new RandomStream(9);
  const draw = (length: number) => Float32Array.from({ length }, () => random.nextNormal());
  const fieldCount = layout.singles.length + layout.lists.length;
  // Out of order, and one row twice.
  const indices = Int32Array.from([7, 3, 39, 0, 7, 21, 22, 5]);
  return {
    set,
    indices,
    layer: new EmbeddingLayer(layout, WIDTH),
    layout,
    draw,
    embeddings: draw(layout.embeddingRowCount * WIDTH),
    fields: new Float32Array(indices.length * fieldCount * WIDTH),
    gradient: new SparseGradient(layout.embeddingRowCount, WIDTH),
  };
}

describe.each([
  ['singles and lists', {}],
  ['lists only', { singles: 0, lists: [3, 5] }],
  ['singles only', { lists: [] }],
])('EmbeddingLayer with %s', (_title, size) => {
  it('gathers what a naive look-up and mean give, whatever stood in the output before', () => {
    const { layer, layout, set, indices, embeddings, fields } = setUp(size);
    fields.fill(Number.NaN);
    layer.gather(embeddings, set.rows, indices, fields);
    const expected = [...indices].flatMap((row) => naiveFields(layout, embeddings, WIDTH, set, row).flat());
    expect(fields.length).toBe(expected.length);
    // Float32 weights 1/n against a division in double precision.
    expected.forEach((value, i) => {
      expect(fields[i]).toBeCloseTo(value, 5);
    });
  });

  it('scatters by the transpose of gather: <gather(E), G> = <E, scatter(G)>', () => {
    const { layer, set, indices, embeddings, fields, gradient, draw } = setUp(size);
    layer.gather(embeddings, set.rows, indices, fields);
    const fieldGradients = draw(fields.length);
    layer.scatter(fieldGradients, set.rows, indices, gradient);
    // About a hundred float32 products of order 1 on each side.
    expect(dot(embeddings, gradient.values)).toBeCloseTo(dot(fields, fieldGradients), 4);
  });

  it('touches the rows in use and no other', () => {
    const { layer, layout, set, indices, fields, gradient } = setUp(size);
    layer.scatter(fields.fill(1), set.rows, indices, gradient);
    const used = new Set<number>();
    for (const row of indices) {
      layout.singles.forEach((_, i) => {
        used.add(set.rows.singleRows[row * layout.singles.length + i]!);
      });
      for (let at = row * layout.listWidth; at < (row + 1) * layout.listWidth; at++) {
        if (set.rows.listWeights[at]! > 0) used.add(set.rows.listRows[at]!);
      }
    }
    const touched: number[] = [];
    gradient.consume((offset) => touched.push(offset / WIDTH));
    expect(touched.sort((a, b) => a - b)).toEqual([...used].sort((a, b) => a - b));
  });
});

describe('SparseGradient', () => {
  it('sums a row that is added twice and is empty again after it was consumed', () => {
    const gradient = new SparseGradient(5, 2);
    const source = Float32Array.of(1, 2, 3, 4);
    gradient.add(3, source, 0, 1);
    gradient.add(1, source, 2, 0.5);
    gradient.add(3, source, 2, 2);
    const seen = new Map<number, number[]>();
    gradient.consume((offset) => seen.set(offset, [...gradient.values.subarray(offset, offset + 2)]));
    expect(seen).toEqual(
      new Map([
        [6, [7, 10]],
        [2, [1.5, 2]],
      ]),
    );
    expect(gradient.values).toEqual(new Float32Array(10));
    gradient.consume(() => expect.unreachable('nothing is left'));
    gradient.add(3, source, 0, 1);
    let calls = 0;
    gradient.consume(() => calls++);
    expect(calls).toBe(1);
  });
});

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
