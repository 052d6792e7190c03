import { describe, expect, it } from 'vitest';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { initialWeights } from '../../lib/training/modelWeights.ts';
import { settingsOf, syntheticLayout } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ buckets: 2000 });
const rates = { click: 0.2, conversion: 0.05 };

function weightsOf(network: unknown, training = {}, given = rates) {
  const shape = networkShape(networkConfigSchema.parse(network), layout);
  return { shape, ...initialWeights(shape, settingsOf(training), given) };
}

const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
const largest = (values: Float32Array) =>
  values.reduce((found, value) => Math.max(found, Math.abs(value)), 0);

/** Standard deviation of a standard normal that is cut at two. */
const TRUNCATED = 0.8796;

describe('initial weights', () => {
  const network = { kind: 'ncs', embeddingWidth: 8, hidden: [128, 64] };

  it('are normal embeddings of the given standard deviation, in every table', () => {
    const { embeddings } = weightsOf(network, { embeddings: { initialStandardDeviation: 0.03 } });
    for (const { rowStart, rowCount } of layout.tables) {
      const table = embeddings.subarray(8 * rowStart, 8 * (rowStart + rowCount));
      // 16,000 draws: a standard error of half a percent.
      expect(Math.abs(deviation(table) / 0.03 - 1)).toBeLessThan(0.03);
    }
  });

  it.each([
    ['xavier_normal', 1, (fanIn: number, fanOut: number) => Math.sqrt(2.6 / (fanIn + fanOut))],
    ['he_normal', 0.3, (fanIn: number) => 0.3 * Math.sqrt(2 / fanIn)],
  ])(
    'are a trunk of %s with gain %d, cut at two standard deviations, biases 0',
    (initialisation, gain, sigmaOf) => {
      const { shape, parameters } = weightsOf(network, { trunk: { initialisation, gain } });
      for (const layer of [0, 1]) {
        const sigma = sigmaOf(shape.layerWidths[layer]!, shape.layerWidths[layer + 1]!);
        const weight = parameters.get(`trunk.${layer}.weight`)!;
        expect(Math.abs(deviation(weight) / (TRUNCATED * sigma) - 1)).toBeLessThan(0.03);
        expect(largest(weight)).toBeLessThanOrEqual(2 * sigma * (1 + 1e-6));
        expect(largest(parameters.get(`trunk.${layer}.bias`)!)).toBe(0);
      }
    },
  );

  it('are uniform heads within Xavier bounds, biases at the logit of the rates', () => {
    const { parameters } = weightsOf(network);
    const limit = Math.sqrt(6 / 65);
    for (const task of ['click', 'conversion'] as const) {
      const head = parameters.get(`${task}.head.weight`)!;
      expect(largest(head)).toBeLessThanOrEqual(limit);
      expect(largest(head)).toBeGreaterThan(0.8 * limit);
      const bias = Math.log(rates[task] / (1 - rates[task]));
      expect(parameters.get(`${task}.head.bias`)![0]).toBeCloseTo(bias, 6);
    }
  });

  it('are the same for a seed, and all others for another', () => {
    const first = weightsOf(network, { seed: 4 });
    expect(weightsOf(network, { seed: 4 })).toEqual(first);
    const other = weightsOf(network, { seed: 5 });
    const drawn = (weights: typeof first) => [
      weights.embeddings,
      ...['trunk.0.weight', 'trunk.1.weight', 'click.head.weight'].map(
        (name) => weights.parameters.get(name)!,
      ),
    ];
    drawn(first).forEach((values, i) => {
      const same = values.filter((value, k) => value === drawn(other)[i]![k]);
      expect(same.length).toBeLessThan(values.length / 1000 + 1);
    });
  });

  it('of a network with private columns are those of one without, but for the columns that only conversions see', () => {
    const shared = weightsOf(network);
    for (const privateEmbeddingWidth of [2, 8]) {
      const { embeddings, parameters, shape } = weightsOf({ ...network, privateEmbeddingWidth });
      expect(parameters).toEqual(shared.parameters);
      const columnsOf = (from: number, to: number) =>
        embeddings.filter((_, i) => i % shape.embeddingWidth >= from && i % shape.embeddingWidth < to);
      expect(columnsOf(0, 8)).toEqual(shared.embeddings);
      expect(Math.abs(deviation(columnsOf(8, 8 + privateEmbeddingWidth)) / 0.01 - 1)).toBeLessThan(0.03);
    }
  });

  it('stay finite when a rate is 1', () => {
    const { parameters } = weightsOf(network, {}, { click: 1, conversion: 1 });
    expect(parameters.get('click.head.bias')![0]).toBeCloseTo(Math.log(9999), 3);
  });

  it('of a logistic network are zeros but for the biases', () => {
    const { embeddings, parameters } = weightsOf('logistic');
    expect(largest(embeddings)).toBe(0);
    expect(largest(parameters.get('click.head.weight')!)).toBe(0);
    expect(parameters.get('click.head.bias')![0]).toBeCloseTo(Math.log(0.25), 6);
  });
});
