import type { MetricSummary } from './comparisonDocument.ts';

/** Mean and sample standard deviation (n - 1) of the values that are there. */
export function summarise(values: readonly (number | null)[]): MetricSummary {
  const known = values.filter((value) => value !== null);
  const mean = known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  const sd =
    mean === null || known.length < 2
      ? null
      : Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length - 1));
  return { mean, sd, values };
}
