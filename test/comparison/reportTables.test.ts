import { describe, expect, it } from 'vitest';
import {
  type ArmSummary,
  type ComparisonDocument,
  METRIC_NAMES,
  type MetricName,
  type MetricSummary,
} from '../../lib/comparison/comparisonDocument.ts';
import { armTable, connectionTable, metricTable, pairedTable } from '../../lib/comparison/reportTables.ts';
import type { Html } from '../../lib/page/html.ts';

/** Cells as HTML, the header first, without what lets a header or an interval go on in the next line. */
const rowsOf = ({ text }: Html) => {
  expect(text).toMatch(/^<div class="scroll" .*<table role="table".*<caption>.*<\/tbody><\/table><\/div>$/s);
  const rows = text.split('<tr role="row">').slice(1);
  return rows.map((row) =>
    [...row.matchAll(/<t[hd] .*?>(.*?)<\/t[hd]>/g)].map(([, cell]) =>
      cell!.replaceAll('<wbr>', '').replaceAll(/<span class="break">(.*?)<\/span>/g, '$1'),
    ),
  );
};
const metricsOf = (of: (name: MetricName) => MetricSummary) =>
  Object.fromEntries(METRIC_NAMES.map((name) => [name, of(name)])) as Record<MetricName, MetricSummary>;
const arm = (mean: number, over: Partial<ArmSummary> = {}): ArmSummary => ({
  description: `An <arm> at ${mean}.`,
  metrics: metricsOf(() => ({ mean, sd: 0.01, values: [mean] })),
  ...{ parameters: 12345, embeddingParameters: 6789, multiplyAddsPerRow: 1011, trainingSeconds: 1.25 },
  runs: [0.5, 0.75, 0.85].map((validationScore, seed) => ({
    ...{ seed, trainingSeconds: 1, curve: [], validationScore },
  })),
  ...over,
});
const documentOf = (arms: Record<string, ArmSummary>, paired: object = {}) =>
  ({ arms, reference: 'ncs', paired }) as unknown as ComparisonDocument;

describe('the table of metrics', () => {
  const one = metricsOf((name) =>
    name === 'click.gauc' ? { mean: null, sd: null, values: [null] } : { mean: 0.5, sd: null, values: [0.5] },
  );
  const [header, ncs, mmoe] = rowsOf(
    metricTable(documentOf({ ncs: arm(0.25), mmoe: arm(0, { metrics: one }) })),
  );

  it('has a row for each arm, with its metrics, their deviations and its mean validation score', () => {
    expect(header).toEqual(['arm', ...METRIC_NAMES, 'validation score']);
    expect(ncs![0]).toBe('ncs (reference)');
    expect(mmoe![0]).toBe('mmoe');
    expect(ncs!.at(-1)).toBe('0.7000');
    expect(ncs).toHaveLength(header!.length);
  });

  it('marks the best of each AUC and of nothing else, and shows a dash for what is undefined', () => {
    expect(ncs!.slice(1, 9)).toEqual(
      METRIC_NAMES.map((name) => (name === 'click.gauc' ? '<b>0.2500 ± 0.0100</b>' : '0.2500 ± 0.0100')),
    );
    expect(mmoe!.slice(1, 9)).toEqual(
      METRIC_NAMES.map((name) =>
        name === 'click.gauc' ? '—' : name.endsWith('auc') ? '<b>0.5000</b>' : '0.5000',
      ),
    );
    const none = metricsOf(() => ({ mean: null, sd: null, values: [] }));
    expect(rowsOf(metricTable(documentOf({ ncs: arm(0, { metrics: none }) })))[1]!.slice(1, 9)).toEqual(
      METRIC_NAMES.map((name) => (name.endsWith('auc') ? expect.stringContaining('—') : '—')),
    );
  });
});

it('the table of arms says what each is, as text, and what it costs', () => {
  expect(rowsOf(armTable(documentOf({ 'a&b': arm(1) })))).toEqual([
    [
      ...['arm', 'what it is', 'parameters', 'embedding parameters'],
      ...['multiply-adds per row', 'training seconds'],
    ],
    ['a&#38;b', 'An &#60;arm&#62; at 1.', '12,345', '6,789', '1,011', '1.3'],
  ]);
});

it('the table of differences has their signs and intervals, and how many seeds agree', () => {
  const difference = { mean: 0.0123, low: -0.001, high: 0.02, values: [0.01, 0, -0.01, 0.02, 0.03] };
  const paired = {
    'click.auc': difference,
    'conversion.auc': difference,
    'ctcvr.auc': { ...difference, mean: 0 },
  };
  const cells = ['+0.0123 [−0.0010, +0.0200]', '3 of 5'];
  expect(rowsOf(pairedTable(documentOf({}, { mmoe: paired })))).toEqual([
    ['arm', ...['click.auc', 'conversion.auc', 'ctcvr.auc'].flatMap((metric) => [metric, 'seeds above 0'])],
    ['mmoe', ...cells, ...cells, '+0.0000 [−0.0010, +0.0200]', '3 of 5'],
  ]);
});

it('the table of connections has whole numbers of them, and the overlap beside what explains it', () => {
  const layer = {
    ...{
      layer: 1,
      inputWidth: 40,
      outputWidth: 50,
      shared: 1000.6,
      clickOnly: 300.4,
      conversionOnly: 200,
      dead: 499,
    },
    ...{ jaccard: 0.66666, chanceJaccard: 0.5, unrelatedJaccard: null },
  };
  expect(rowsOf(connectionTable('ncs', [layer, { ...layer, unrelatedJaccard: 0.25 }]))).toEqual([
    ['layer', 'shared', 'click only', 'conversion only', 'dead', 'Jaccard', 'by chance', 'unrelated task'],
    ['1 (40 x 50)', '1,001', '300', '200', '499', '0.667', '0.500', '—'],
    ['1 (40 x 50)', '1,001', '300', '200', '499', '0.667', '0.500', '0.250'],
  ]);
});
