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

const desks = (page: string) =>
  [...page.matchAll(/<div class="desk">(<svg .*?<\/svg>)/gs)].map(([, svg]) => svg!);

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
    bootstrapUnit: 'users',
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
    expect(html).toContain('+0.0123 <span class="break">[−0.0011, +0.0234]</span>');
    expect(html).toContain('<b>0.7583 <span class="break">± 0.0012</span></b>');
    expect(html).not.toContain('<b>0.7411');
  });

  it('draws a chart a paired metric, two learning curves, and one for every arm with masks', () => {
    expect(html.match(/<div class="desk"><svg /g)).toHaveLength(PAIRED_METRIC_NAMES.length + 2 + 1);
    expect(html.match(/<div class="phone"><svg /g)).toHaveLength(PAIRED_METRIC_NAMES.length + 2 + 1);
    expect(html.match(/<figcaption>/g)).toHaveLength(PAIRED_METRIC_NAMES.length + 2 + 1);
    expect(html).toContain('conversion only');
  });

  it('says what was compared: data, days, rows, label and seeds, and what the numbers are', () => {
    const text = html.replace(/<style>.*?<\/style>/s, '').replace(/\s+/g, ' ');
    expect(text).toContain('Trained on a, chosen on b, reported on c: 1,000 impressions, 100 clicks.');
    expect(text).toContain('The conversion is <code>buy</code>, measured on clicked rows. Seeds: 1.</p>');
    const several = renderReport({ ...document, seeds: [1, 2, 3], reportRows: 12, reportClicks: 3456 });
    expect(several).toContain('Seeds: 1, 2, 3.');
    expect(several).toContain('12 impressions, 3,456 clicks');
    const titles = [...text.matchAll(/<h2 id=".*?">(.*?)<\/h2>/g)].map(([, title]) => title);
    expect(titles).toEqual(['Metrics', 'Differences from the reference', 'Learning curves', 'Connections']);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en"><head><meta charset="utf-8">/);
  });

  it('puts every chart under a caption that says what it is, for those too who do not see it', () => {
    const figures = [...html.matchAll(/<figure>.*?<div role="img" aria-label="(.*?)">.*?<\/figure>/gs)];
    const captions = figures.map(([figure, label]) => {
      expect(figure).toContain(`<figcaption>${label}</figcaption>`);
      return label;
    });
    expect(captions).toEqual([
      ...PAIRED_METRIC_NAMES.map((metric) => `Differences in ${metric}: right of 0 the reference is better.`),
      'Click AUC on the validation rows by optimiser step.',
      'Conversion AUC on clicked validation rows by optimiser step.',
      'Connections of ncs by use, as shares of each layer.',
    ]);
    const svgs = desks(html);
    for (const [index, metric] of PAIRED_METRIC_NAMES.entries()) {
      expect(svgs[index]).toContain(`${metric}: ncs minus arm`);
    }
    // Two arms with two clicks' AUCs each; the one that learns conversions too has measured them once.
    const [run] = document.arms.ncs!.runs;
    const curve = [...run!.curve, { step: 3, epoch: 0, clickAuc: null, conversionAuc: 0.6 }];
    const arms = { ...document.arms, ncs: { ...document.arms.ncs!, runs: [{ ...run!, curve }] } };
    const curves = desks(renderReport({ ...document, arms }));
    const marks = curves.map((svg) => svg.match(/matrix\(2.5,0,0,2.5/g)?.length ?? 0);
    expect(marks.slice(PAIRED_METRIC_NAMES.length, -1)).toEqual([4, 1]);
  });

  it('has for every arm with masks, and for no other, the mean of its connections over the seeds', () => {
    const layer = document.arms.ncs!.runs[0]!.connections![0]!;
    const [run] = document.arms.ncs!.runs;
    const runs = [
      {
        ...run!,
        connections: [
          { ...layer, unrelatedJaccard: 0.1 },
          { ...layer, layer: 1, shared: 100 },
        ],
      },
      {
        ...run!,
        connections: [
          {
            ...layer,
            ...{ shared: 2, clickOnly: 3, conversionOnly: 10, dead: 5 },
            ...{ jaccard: 0.571, chanceJaccard: 0.256, unrelatedJaccard: 0.4 },
          },
          { ...layer, layer: 1, shared: 300 },
        ],
      },
      run!,
    ].map(({ connections, ...rest }, index) => (index < 2 ? { ...rest, connections: connections! } : rest));
    const arms = {
      other: document.arms.other!,
      'a<b': { ...document.arms.ncs!, runs },
      ncs: document.arms.ncs!,
    };
    const connections = renderReport({ ...document, arms }).split(
      '<h2 id="connections">Connections</h2>',
    )[1]!;
    const names = [...connections.matchAll(/<h3>(.*?)<\/h3>/g)].map(([, name]) => name);
    expect(names).toEqual(['a&#60;b', 'ncs']);
    const rows = [...connections.matchAll(/<tr role="row">(<th role="rowheader".*?)<\/tr>/g)].map(([, row]) =>
      [...row!.matchAll(/<t[hd] .*?>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell),
    );
    expect(rows).toEqual([
      ['0 (4 x 5)', '5', '4', '7', '4', '0.521', '0.356', '0.250'],
      ['1 (4 x 5)', '200', '5', '4', '3', '0.471', '0.456', '—'],
      ['0 (4 x 5)', '8', '5', '4', '3', '0.471', '0.456', '—'],
    ]);
    // The charts are of the same numbers: 5 of 20 shared, and 4 of 20 dead.
    const bars = [
      ...desks(connections)[0]!.matchAll(/l([\d.]+) 0l0 [^>]*ecmeta_series_index="([03])"[^>]*type="chart"/g),
    ];
    const [layer0] = bars.map(([, width]) => Number(width));
    expect(layer0! / 826).toBeCloseTo(5 / 20, 2);
  });

  it('keeps every interval of the paired charts on the page, wider than the means or not', () => {
    const wide = { mean: 0.001, low: -0.02, high: 0.02, values: [0.001] };
    const paired = Object.fromEntries(PAIRED_METRIC_NAMES.map((metric) => [metric, wide]));
    const page = renderReport({ ...document, paired: { other: paired } } as unknown as ComparisonDocument);
    const drawn = desks(page).join('');
    const bars = [
      ...drawn.matchAll(
        /<path d="M([-\d.]+) [-\d.]+L([-\d.]+) [-\d.]+"[^>]*stroke="var\(--series-1\)" stroke-width="3"/g,
      ),
    ];
    expect(bars).toHaveLength(PAIRED_METRIC_NAMES.length);
    for (const [, from, to] of bars) {
      expect(Number(from)).toBeGreaterThanOrEqual(200);
      expect(Number(to)).toBeLessThanOrEqual(976);
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
