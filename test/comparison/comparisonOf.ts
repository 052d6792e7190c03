import {
  type ArmSummary,
  type ComparisonDocument,
  METRIC_NAMES,
  PAIRED_METRIC_NAMES,
} from '../../lib/comparison/comparisonDocument.ts';

/** A comparison of so many arms, the first of which has masks. */
export function comparisonOf(armCount: number): ComparisonDocument {
  const names = ['ncs', ...Array.from({ length: armCount - 1 }, (_, i) => `shared-bottom-towers-${i + 1}`)];
  const arms = names.map((name, index) => [name, armOf(index)] as const);
  const difference = { mean: 0.0123, low: -0.0011, high: 0.0234, values: [0.01, 0.02, -0.01] };
  const differences = Object.fromEntries(PAIRED_METRIC_NAMES.map((metric) => [metric, difference]));
  return {
    ...{ formatVersion: 1, codeVersion: '0', data: 'data', trainSplit: 'a', validationSplit: 'b' },
    ...{
      reportSplit: 'c',
      reportRows: 1000,
      reportClicks: 100,
      bootstrapUnit: 'users',
      conversionLabel: 'buy',
      seeds: [1, 2, 3],
    },
    reference: 'ncs',
    arms: Object.fromEntries(arms),
    paired: Object.fromEntries(
      names.slice(1).map((name) => [name, differences as unknown as ComparisonDocument['paired'][string]]),
    ),
  };
}

function armOf(index: number): ArmSummary {
  const mean = 0.7 + index / 1000;
  const layer = {
    ...{ inputWidth: 400, outputWidth: 256, shared: 40_000, clickOnly: 30_000, conversionOnly: 20_000 },
    ...{ dead: 12_400, jaccard: 0.444, chanceJaccard: 0.4, unrelatedJaccard: null },
  };
  const curve = [10, 20, 30].map((step) => ({
    ...{ step, epoch: 0, clickAuc: mean + step / 1000, conversionAuc: mean - step / 1000 },
  }));
  const run = { seed: 1, trainingSeconds: 2, curve, validationScore: mean };
  return {
    description: 'What this arm is, in a sentence that goes on for a while.',
    metrics: Object.fromEntries(
      METRIC_NAMES.map((metric) => [metric, { mean, sd: 0.0012, values: [mean] }]),
    ) as unknown as ArmSummary['metrics'],
    ...{ parameters: 12345, embeddingParameters: 678, multiplyAddsPerRow: 91011, trainingSeconds: 2 },
    runs: [index === 0 ? { ...run, connections: [0, 1, 2].map((at) => ({ ...layer, layer: at })) } : run],
  };
}
