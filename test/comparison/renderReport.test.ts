import { describe, expect, it } from 'vitest';
import {
  type ArmSummary,
  type ComparisonDocument,
  METRIC_NAMES,
  PAIRED_METRIC_NAMES,
} from '../../lib/comparison/comparisonDocument.ts';
import { renderReport } from '../../lib/comparison/renderReport.ts';

function arm(mean: number, isMasked: boolean): ArmSummary {
  const curve = [1, 2].map((step) => ({ step, epoch: 0, clickAuc: mean, conversionAuc: null }));
  const layer = {
    ...{ layer: 0, inputWidth: 4, outputWidth: 5, shared: 8, clickOnly: 5, conversionOnly: 4, dead: 3 },
    ...{ jaccard: 0.471, chanceJaccard: 0.456, unrelatedJaccard: null },
  };
  const run = { seed: 1, trainingSeconds: 2, curve, validationScore: mean };
  return {
    description: 'an arm <b>with</b> "marks" & more',
    metrics: Object.fromEntries(
      METRIC_NAMES.map((metric) => [metric, { mean, sd: 0.0012, values: [mean] }]),
    ) as unknown as ArmSummary['metrics'],
    ...{ parameters: 12345, embeddingParameters: 678, multiplyAddsPerRow: 91011, trainingSeconds: 2 },
    runs: [isMasked ? { ...run, connections: [layer] } : run],
  };
}

const difference = { mean: 0.0123, low: -0.0011, high: 0.0234, values: [0.0123] };
const document: ComparisonDocument = {
  ...{
    formatVersion: 1,
    codeVersion: '0',
    data: '<script>alert(1)</script>',
    trainSplit: 'a',
    validationSplit: 'b',
  },
  ...{
    reportSplit: 'c',
    reportRows: 1000,
    reportClicks: 100,
    conversionLabel: 'buy',
    seeds: [1],
    reference: 'ncs',
  },
  arms: { ncs: arm(0.7583, true), other: arm(0.7411, false) },
  paired: {
    other: Object.fromEntries(
      PAIRED_METRIC_NAMES.map((metric) => [metric, difference]),
    ) as unknown as ComparisonDocument['paired'][string],
  },
};

describe('the report', () => {
  const html = renderReport(document);

  it('holds every arm, metric, cost and difference', () => {
    for (const text of ['ncs (reference)', 'other', ...METRIC_NAMES, '0.7583', '12,345', '678', '91,011']) {
      expect(html, text).toContain(text);
    }
    expect(html).toContain('+0.0123 [−0.0011, +0.0234]');
    expect(html).toContain('<b>0.7583 ± 0.0012</b>');
    expect(html).not.toContain('<b>0.7411');
  });

  it('draws a chart a paired metric, two learning curves, and one for every arm with masks', () => {
    expect(html.match(/<svg /g)).toHaveLength(PAIRED_METRIC_NAMES.length + 2 + 1);
    expect(html.match(/<figcaption>/g)).toHaveLength(PAIRED_METRIC_NAMES.length + 2 + 1);
    expect(html).toContain('CVR only');
  });

  it('keeps every interval of the paired charts on the page, wider than the means or not', () => {
    const wide = { mean: 0.001, low: -0.02, high: 0.02, values: [0.001] };
    const paired = Object.fromEntries(PAIRED_METRIC_NAMES.map((metric) => [metric, wide]));
    const page = renderReport({ ...document, paired: { other: paired } } as unknown as ComparisonDocument);
    const bars = [...page.matchAll(/<path d="M([-\d.]+) [-\d.]+L([-\d.]+) [-\d.]+"[^>]*stroke="#4677b8"/g)];
    expect(bars).toHaveLength(PAIRED_METRIC_NAMES.length);
    for (const [, from, to] of bars) {
      expect(Number(from)).toBeGreaterThanOrEqual(180);
      expect(Number(to)).toBeLessThanOrEqual(920);
      expect(Number(to) - Number(from)).toBeGreaterThan(200);
    }
  });

  it('needs no script and no network, and shows names as text', () => {
    expect(html).not.toMatch(/<script/i);
    const addresses = html.match(/https?:[^"')\s]*/g) ?? [];
    expect(new Set(addresses)).toEqual(
      new Set(['http://www.w3.org/2000/svg', 'http://www.w3.org/1999/xlink']),
    );
    expect(html).toContain('&#60;script&#62;');
    expect(html).not.toContain('<b>with</b>');
  });
});
