import type { FunnelOptions } from './funnelOptions.ts';

/** A training config for a synthetic funnel: the first days to train, then those to choose on, then those to report on. */
export function exampleConfig(
  { fields, days, validationDays, reportDays }: FunnelOptions,
  dateOf: (day: number) => string,
): Record<string, unknown> {
  const table = { type: 'string', vocabulary: {} };
  const range = (from: number, end: number) => ({ from: dateOf(from), to: dateOf(end - 1) });
  const reportStart = days - reportDays;
  const validationStart = reportStart - validationDays;
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
      train: range(0, validationStart),
      validation: range(validationStart, reportStart),
      report: range(reportStart, days),
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
