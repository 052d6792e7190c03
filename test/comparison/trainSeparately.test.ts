import { describe, expect, it } from 'vitest';
import { combineTasks } from '../../lib/comparison/trainSeparately.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import {
  SYNTHETIC_NCS,
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({});
const shape = networkShape(SYNTHETIC_NCS, layout);
const set = syntheticRows(layout, 50);

describe('two networks trained apart', () => {
  it.each([['dense'], ['masked']])('score in one bundle exactly as alone when %s', async (kind) => {
    const weights = { click: syntheticWeights(shape, 1), conversion: syntheticWeights(shape, 2) };
    const masks = kind === 'masked' ? syntheticMasks(shape, 0.5) : undefined;
    const combined = combineTasks(SYNTHETIC_NCS, layout, weights, masks);
    const both = await ForwardPass.create(combined.shape, undefined, 1);
    const found = await both.predict(combined.weights, set);
    await both.release();
    const alone = await ForwardPass.create(shape, masks, 1);
    const [click, conversion] = [
      await alone.predict(weights.click, set),
      await alone.predict(weights.conversion, set),
    ];
    await alone.release();
    found.pctr.forEach((p, row) => {
      expect(Math.abs(p - click.pctr[row]!)).toBeLessThan(1e-6);
      expect(Math.abs(found.pcvr[row]! - conversion.pcvr[row]!)).toBeLessThan(1e-6);
    });
    expect(new Set(found.pctr).size).toBeGreaterThan(10);
  });
});
