import { describe, expect, it } from 'vitest';
import { TASKS, type Task } from '../../lib/base/tasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { embeddingColumns, networkShape } from '../../lib/network/networkShape.ts';
import { allOnesMasks, checkMasks, layerSizes } from '../../lib/network/taskMasks.ts';
import { syntheticLayout } from '../fixtures/syntheticModel.ts';

const shapeOf = (network: unknown, size = {}) =>
  networkShape(networkConfigSchema.parse(network), syntheticLayout(size));

describe('networkShape', () => {
  it("has the paper's 720 inputs, 532,480 maskable weights and 896 biases for 20 fields", () => {
    const shape = shapeOf('paper', { singles: 15, lists: [8, 6, 6, 6, 8], numerics: 0 });
    expect(shape.layerWidths).toEqual([720, 512, 256, 128]);
    expect(layerSizes(shape)).toEqual([368_640, 131_072, 32_768]);
    const biases = shape.parameters.filter(({ role }) => role === 'trunk bias');
    expect(biases.reduce((sum, { shape: dims }) => sum + dims[0]!, 0)).toBe(896);
  });

  it('counts upper-triangle pairs, dense inputs, and only the crossed fields', () => {
    const upper = { kind: 'ncs', embeddingWidth: 4, cross: { mode: 'upper' }, hidden: [8] };
    expect(shapeOf(upper).inputWidth).toBe(15 + 5 * 4 + 4);
    const some = { ...upper, cross: { mode: 'full', fields: ['s1', 'l0'] } };
    expect(shapeOf(some)).toMatchObject({ inputWidth: 4 + 5 * 4 + 4, crossFields: [1, 3] });
  });

  it("counts a task's own embedding columns beside the shared ones; what a task sees stays as wide", () => {
    const shape = shapeOf({ kind: 'ncs', embeddingWidth: 4, privateEmbeddingWidth: 1, hidden: [8] });
    expect(shape).toMatchObject({ embeddingWidth: 5, privateEmbeddingWidth: 1, inputWidth: 25 + 5 * 4 + 4 });
    const tooMany = { kind: 'ncs', embeddingWidth: 4, privateEmbeddingWidth: 5 };
    expect(() => shapeOf(tooMany)).toThrow('a task sees no more than embeddingWidth columns');
  });

  it('tells which embedding columns a task sees: its own and the shared ones', () => {
    const columnsOf = (privateEmbeddingWidth: number, tasks: readonly Task[]) => {
      const config = networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, privateEmbeddingWidth });
      const { from, to } = embeddingColumns(networkShape(config, syntheticLayout({})), tasks);
      return [from, to];
    };
    expect(columnsOf(1, ['click'])).toEqual([0, 4]);
    expect(columnsOf(1, ['conversion'])).toEqual([1, 5]);
    expect(columnsOf(4, ['conversion'])).toEqual([4, 8]);
    expect(columnsOf(1, TASKS)).toEqual([0, 5]);
    expect(columnsOf(0, ['click'])).toEqual([0, 4]);
  });

  it('gives a logistic network one weight an id and task, no trunk, and heads for dense inputs only', () => {
    const shape = shapeOf('logistic');
    expect(shape.embeddingWidth).toBe(2);
    expect(layerSizes(shape)).toEqual([]);
    expect(shape.parameters.map(({ name, shape: dims }) => [name, dims])).toEqual([
      ['click.head.weight', [4, 1]],
      ['click.head.bias', [1]],
      ['conversion.head.weight', [4, 1]],
      ['conversion.head.bias', [1]],
    ]);
    expect(shapeOf('logistic', { numerics: 0 }).parameters.map(({ name }) => name)).toEqual([
      'click.head.bias',
      'conversion.head.bias',
    ]);
  });

  it('takes a contract of numbers alone, whose input they are', () => {
    const shape = shapeOf('default', { singles: 0, lists: [] });
    expect(shape.fieldNames).toEqual([]);
    expect(shape.inputWidth).toBe(shape.layout.denseWidth);
    expect(shape.inputWidth).toBeGreaterThan(0);
  });

  it('refuses a crossed field without embeddings', () => {
    const invalid = expect.objectContaining({ code: 'NETWORK_INVALID' });
    for (const name of ['nowhere', 'n0']) {
      expect(() => shapeOf({ kind: 'ncs', cross: { fields: ['s0', name] } })).toThrow(invalid);
    }
  });
});

describe('checkMasks', () => {
  const shape = shapeOf({ kind: 'ncs', embeddingWidth: 2, hidden: [4, 3] });
  const ones = () => ({
    click: [...allOnesMasks(shape).click],
    conversion: [...allOnesMasks(shape).conversion],
  });

  it('takes masks of zeros and ones in the size of every layer', () => {
    const masks = ones();
    masks.conversion[1] = new Uint8Array(12);
    expect(() => checkMasks(masks, shape)).not.toThrow();
  });

  it.each([
    ['a layer too few', (masks: Uint8Array[]) => masks.pop(), '2 layers', '1'],
    ['a layer too many', (masks: Uint8Array[]) => masks.push(new Uint8Array(3)), '2 layers', '3'],
    [
      'a connection too few',
      (masks: Uint8Array[]) => masks.splice(1, 1, new Uint8Array(11)),
      '12 connections in layer 1',
      '11',
    ],
    [
      'a connection too many',
      (masks: Uint8Array[]) => masks.splice(1, 1, new Uint8Array(13)),
      '12 connections in layer 1',
      '13',
    ],
    ['a 2 among its bits', (masks: Uint8Array[]) => masks[0]!.fill(2, 5, 6), '0 or 1 in layer 0', '2'],
  ])(
    'refuses, for either task, masks with %s, and says what it expected and found',
    (_title, spoil, expected, found) => {
      for (const task of ['click', 'conversion'] as const) {
        const masks = ones();
        spoil(masks[task]);
        expect(() => checkMasks(masks, shape)).toThrow(
          expect.objectContaining({
            code: 'MASKS_INVALID',
            message: expect.stringContaining(`the ${task} mask doesn't fit the trunk`),
            expected,
            found,
          }),
        );
      }
    },
  );

  it('that share every connection are ones', () => {
    const sizes = layerSizes(shape);
    const all = sizes.map((size) => Uint8Array.from({ length: size }, () => 1));
    expect(sizes.at(-1)).toBe(12);
    expect(allOnesMasks(shape)).toEqual({ click: all, conversion: all });
  });
});
