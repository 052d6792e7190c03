import { describe, expect, it } from 'vitest';
import { type OpName, opDefinition, opTable, sigmoid } from '../../lib/onnx/ops.ts';
import { checkGradient, largestError, runForward } from './gradientCheck.ts';
import { opCases } from './opCases.ts';

const names = Object.keys(opTable) as OpName[];

describe('op table', () => {
  it('has a case for every row', () => {
    expect(Object.keys(opCases).sort()).toEqual([...names].sort());
    expect(names.filter((name) => opCases[name].length === 0)).toEqual([]);
  });

  it('lacks a gradient only where that is meant', () => {
    expect(names.filter((name) => opDefinition(name).gradient === 'stopped')).toEqual(['stopGradient']);
    expect(names.filter((name) => opDefinition(name).gradient === 'unavailable')).toEqual(['gather']);
  });
});

describe.each(names)('%s', (name) => {
  // float32 against double: a few units in the last place of numbers of about 1.
  it.each(opCases[name])('computes what plain TypeScript does: $title', async (check) => {
    const expected = check.reference(check.inputs);
    const forward = check.counts ? (await checkGradient(check)).forward : await runForward(check);
    expect(forward.shape).toEqual(expected.shape);
    expect(largestError(forward.data, expected.data)).toBeLessThan(2e-6);
  });

  // Central differences with step 1e-2 in float32: 2e-3 leaves room for the third derivatives of these cases.
  it.each(opDefinition(name).gradient === 'exact' ? opCases[name] : [])(
    'has the gradient of its forward pass: $title',
    async (check) => {
      const { analytic, numeric } = await checkGradient(check);
      for (const [index, ofInput] of analytic.entries()) {
        expect(largestError(ofInput, numeric[index]!)).toBeLessThan(2e-3);
      }
    },
  );
});

it('sigmoid is exact to 1e-6 of its value for probabilities down to 1e-22', async () => {
  const logits = Array.from({ length: 101 }, (_, i) => i - 50);
  const { data } = await runForward({
    inputs: [{ shape: [101], data: logits }],
    build: (graph, [x]) => sigmoid(graph, x!),
  });
  for (const [i, s] of logits.entries()) {
    expect(Math.abs(data[i]! * (1 + Math.exp(-s)) - 1), `logit ${s}`).toBeLessThan(1e-6);
  }
});
