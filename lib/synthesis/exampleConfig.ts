import type { FunnelOptions } from './funnelOptions.ts';

/** A training config for a synthetic funnel: all days but the last two to train, one to choose on, one to report on. */
export function exampleConfig(
  { fields, days }: FunnelOptions,
  dateOf: (day: number) => string,
): Record<string, unknown> {
  const table = { type: 'string', vocabulary: {} };
  const one = (day: number) => ({ from: dateOf(day), to: dateOf(day) });
  return {
    contract: {
      contractVersion: 1,
      rowKeys: ['impression_id'],
      features: [
        ...Array.from({ length: fields }, (_, i) => ({ kind: 'categorical', column: `f${i}`, table })),
        { kind: 'numeric', column: 'price', log1p: true },
        { kind: 'list', column: 'tags', table, maxLength: 3, keep: 'first' },
      ],
    },
    labels: { click: 'click', conversion: 'conversion', user: 'f0' },
    split: {
      by: 'date',
      train: { from: dateOf(0), to: dateOf(days - 3) },
      validation: one(days - 2),
      report: one(days - 1),
    },
    network: { kind: 'ncs', embeddingWidth: 8, hidden: [64, 32] },
    training: {
      seed: 1,
      epochs: 3,
      batchRows: 256,
      embeddings: { learningRate: 0.05 },
      trunk: { learningRate: 0.002, decay: 'linear' },
      patience: 12,
    },
    masks: { method: 'learned', density: 0.3 },
  };
}
