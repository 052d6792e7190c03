import { describe, expect, it } from 'vitest';
import type { ComparisonDocument, LayerConnections } from '../../lib/comparison/comparisonDocument.ts';
import { connectionChart, curveChart, pairedChart } from '../../lib/comparison/reportCharts.ts';
import type { Html } from '../../lib/page/html.ts';
import { type Chart, drawingOf, readChart } from './readChart.ts';

/** To the pixel, on an axis whose ends are labelled. */
const PIXELS = 1;
const near = (chart: Chart, found: number, expected: number) =>
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(
    PIXELS * Math.abs(chart.valueAt(1) - chart.valueAt(0)) + 1e-12,
  );
function expectEverythingInside({ width, height, texts, lines, bars, dots }: Chart): void {
  const xs = [...texts, ...dots].map(({ x }) => x);
  const ys = [...texts, ...dots].map(({ y }) => y);
  const points = lines.flatMap((line) => line.points);
  for (const x of [...xs, ...points.map(([x]) => x), ...bars.map((bar) => bar.left + bar.width)]) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x).toBeLessThanOrEqual(width);
  }
  for (const y of [...ys, ...points.map(([, y]) => y)]) {
    expect(y).toBeGreaterThan(0);
    expect(y).toBeLessThan(height);
  }
}
/** Texts are about 7 pixels wide for each character. */
function expectRoomForLabelsAtTheLeft({ texts }: Chart, longest: string): void {
  const label = texts.find(({ text }) => text === longest)!;
  expect(label.x).toBeGreaterThan(7 * longest.length);
}

/** Names beside a drawing, with how their lines or areas look. */
function legendOf({ text }: Html) {
  const list = /<ul class="legend">(.*?)<\/ul>/s.exec(text)![1]!;
  return [...list.matchAll(/<li>(<svg .*?<\/svg>)(.*?)<\/li>/g)].map(([, swatch, name]) => ({
    name: name!,
    colour: /(?:stroke|fill)="(.*?)"/.exec(swatch!)![1]!,
    isBroken: /stroke-dasharray="(?!none)/.test(swatch!),
  }));
}

describe('the chart of differences', () => {
  const difference = (mean: number, low: number, high: number) => ({ mean, low, high, values: [mean] });
  const wrong = difference(9, 8, 10);
  const of = (...interval: [number, number, number]) => ({
    'click.auc': wrong,
    'conversion.auc': difference(...interval),
    'ctcvr.auc': wrong,
  });
  const intervals: Record<string, [number, number, number]> = {
    'single-task-ticket': [0.011, -0.02, 0.034],
    mmoe: [-0.006, -0.01, -0.001],
    ple: [0.0005, 0, 0.002],
  };
  const paired = Object.fromEntries(Object.entries(intervals).map(([name, found]) => [name, of(...found)]));
  const document = { paired, reference: 'ncs' } as unknown as ComparisonDocument;
  const chart = readChart(pairedChart(document, 'conversion.auc'));
  const bars = chart.lines.filter(({ tag }) => tag.includes('stroke-width="3"'));

  it('has one row per arm from the top in the order of the tables, with its interval and its mean', () => {
    const names = Object.keys(paired);
    const byRow = <T>(marks: readonly T[], yOf: (mark: T) => number) =>
      marks.toSorted((a, b) => yOf(a) - yOf(b));
    const dots = byRow(chart.dots, ({ y }) => y);
    const rows = byRow(bars, ({ points }) => points[0]![1]);
    expect(dots.map(({ y }) => chart.rowAt(y))).toEqual(names);
    expect(rows.map(({ points }) => chart.rowAt(points[0]![1]))).toEqual(names);
    Object.values(intervals).forEach(([mean, low, high], row) => {
      near(chart, chart.valueAt(dots[row]!.x), mean);
      const [start, end] = rows[row]!.points;
      expect(start![1]).toBe(end![1]);
      near(chart, chart.valueAt(start![0]), low);
      near(chart, chart.valueAt(end![0]), high);
    });
  });

  it('says what right of 0 means, where a dashed line stands', () => {
    expect(chart.texts.map(({ text }) => text)).toContain('conversion.auc: ncs minus arm');
    // The line has no label of its own beside the axis' one.
    expect(chart.texts.filter(({ text }) => text === '0')).toHaveLength(1);
    const dashed = chart.lines.filter(({ tag }) => tag.includes('stroke-dasharray'));
    expect(dashed).toHaveLength(1);
    const [[from, top], [to, bottom]] = dashed[0]!.points as [[number, number], [number, number]];
    near(chart, chart.valueAt(from), 0);
    expect([to, Math.abs(bottom - top) > 50]).toEqual([from, true]);
  });

  it('keeps everything on the picture, the longest name too', () => {
    expectEverythingInside(chart);
    expectRoomForLabelsAtTheLeft(chart, 'single-task-ticket');
  });

  it('grows with the number of arms', () => {
    const more = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`arm-${i}`, of(0.01, 0, 0.02)]));
    const big = readChart(
      pairedChart({ paired: more, reference: 'ncs' } as unknown as ComparisonDocument, 'conversion.auc'),
    );
    const ys = big.dots.map(({ y }) => y).sort((a, b) => a - b);
    expect(ys).toHaveLength(15);
    // Each has a line of text to itself.
    for (const [i, y] of ys.slice(1).entries()) expect(y - ys[i]!).toBeGreaterThan(14);
    expectEverythingInside(big);
  });
});

describe('the chart of learning curves', () => {
  const point = (step: number, clickAuc: number | null, conversionAuc: number | null) => ({
    ...{ step, epoch: 0 },
    clickAuc,
    conversionAuc,
  });
  const arms = {
    ncs: {
      runs: [
        { curve: [point(20, 0.62, null), point(40, 0.66, null)] },
        { curve: [point(10, 0.52, 0.55), point(20, 0.6, 0.58)] },
        { curve: [point(20, 0.7, 0.6)] },
      ],
    },
    mmoe: { runs: [{ curve: [point(10, 0.55, null), point(30, 0.58, 0.53), point(40, 0.59, 0.57)] }] },
  };
  const document = { arms } as unknown as ComparisonDocument;
  const curvesOf = (metric: 'clickAuc' | 'conversionAuc') => {
    const chart = readChart(curveChart(document, metric, 'AUC by step.'));
    const curves = chart.lines.filter(({ tag }) => tag.includes('stroke-linejoin="bevel"'));
    return {
      chart,
      curves: curves.map(({ points }) => points.map(([x, y]) => [chart.valueAt(x), chart.heightAt(y)])),
    };
  };

  it.each([
    [
      'clickAuc',
      [
        [
          [10, 0.52],
          [20, 0.64],
          [40, 0.66],
        ],
        [
          [10, 0.55],
          [30, 0.58],
          [40, 0.59],
        ],
      ],
    ],
    [
      'conversionAuc',
      [
        [
          [10, 0.55],
          [20, 0.59],
        ],
        [
          [30, 0.53],
          [40, 0.57],
        ],
      ],
    ],
  ] as const)(
    'has for each arm the mean of the runs that got to a step and have the metric, by rising step: %s',
    (metric, expected) => {
      const { chart, curves } = curvesOf(metric);
      expect(curves.map((curve) => curve.length)).toEqual(expected.map((curve) => curve.length));
      for (const [arm, curve] of expected.entries()) {
        for (const [i, [step, auc]] of curve.entries()) {
          near(chart, curves[arm]![i]![0]!, step);
          expect(Math.abs(curves[arm]![i]![1]! - auc)).toBeLessThan(0.001);
        }
      }
      // A mark for each validation, so that few of them are seen too.
      expect(chart.dots.filter(({ series }) => series === 1)).toHaveLength(expected[1].length);
    },
  );

  it('names its lines and axes, in AUCs of three digits, and keeps everything on the picture', () => {
    const { chart } = curvesOf('clickAuc');
    const texts = chart.texts.map(({ text }) => text);
    expect(texts).toEqual(expect.arrayContaining(['optimiser steps']));
    expect(legendOf(curveChart(document, 'clickAuc', 'AUC by step.')).map(({ name }) => name)).toEqual([
      'ncs',
      'mmoe',
    ]);
    expect(texts.filter((text) => /^0\.\d{3}$/.test(text)).length).toBeGreaterThan(2);
    expectEverythingInside(chart);
    // Curves differ by hundredths: the axis doesn't begin at 0.
    expect(chart.heightAt(chart.height)).toBeGreaterThan(0.3);
  });

  it('names all arms beside the drawing, each by a line that no other has, and draws them so', () => {
    const many = Object.fromEntries(
      Array.from({ length: 16 }, (_, i) => [`ncs-shared-embedding-${i}`, arms.mmoe]),
    );
    const figure = curveChart({ arms: many } as unknown as ComparisonDocument, 'clickAuc', 'AUC by step.');
    const legend = legendOf(figure);
    expect(legend.map(({ name }) => name)).toEqual(Object.keys(many));
    expect(new Set(legend.map(({ colour, isBroken }) => `${colour} ${isBroken}`)).size).toBe(16);
    const chart = readChart(figure);
    const curves = chart.lines.filter(({ tag }) => tag.includes('stroke-linejoin="bevel"'));
    expect(
      curves.map(({ tag }) => ({
        colour: /stroke="(.*?)"/.exec(tag)![1],
        isBroken: tag.includes('stroke-dasharray'),
      })),
    ).toEqual(legend.map(({ colour, isBroken }) => ({ colour, isBroken })));
    expectEverythingInside(chart);
    expectEverythingInside(readChart(figure, 'phone'));
  });
});

describe('the chart of connections', () => {
  const layer = (index: number, counts: readonly [number, number, number, number]) => {
    const [shared, clickOnly, conversionOnly, dead] = counts;
    return {
      ...{ layer: index, inputWidth: 4, outputWidth: index === 0 ? 5 : 10 },
      ...{ shared, clickOnly, conversionOnly, dead },
    } as unknown as LayerConnections;
  };
  const chart = readChart(connectionChart('ncs', [layer(0, [8, 5, 4, 3]), layer(1, [4, 8, 12, 16])]));

  it('has a bar for each layer, the first at the top, divided by use from 0 to 1', () => {
    const rows = new Map<string, (readonly [number, number, number])[]>();
    for (const { left, width, middle, series } of chart.bars.toSorted((a, b) => a.middle - b.middle)) {
      const name = chart.rowAt(middle);
      rows.set(name, [
        ...(rows.get(name) ?? []),
        [series, chart.valueAt(left), chart.valueAt(left + width) - chart.valueAt(left)],
      ]);
    }
    expect([...rows.keys()]).toEqual(['layer 0 (4 x 5)', 'layer 1 (4 x 10)']);
    for (const [index, shares] of [
      [0.4, 0.25, 0.2, 0.15],
      [0.1, 0.2, 0.3, 0.4],
    ].entries()) {
      const bars = [...rows.values()][index]!.toSorted(([a], [b]) => a - b);
      expect(bars.map(([series]) => series)).toEqual([0, 1, 2, 3]);
      let from = 0;
      shares.forEach((share, series) => {
        expect(bars[series]![1]).toBeCloseTo(from, 2);
        expect(bars[series]![2]).toBeCloseTo(share, 2);
        from += share;
      });
    }
    expect(chart.valueAt(Math.max(...chart.bars.map(({ left, width }) => left + width)))).toBeCloseTo(1, 6);
  });

  it('names the uses in the order of the bars, in the colours of the bars, above the drawing', () => {
    const figure = connectionChart('ncs', [layer(0, [8, 5, 4, 3])]);
    const svg = drawingOf(figure);
    const colours = [0, 1, 2, 3].map(
      (series) => svg.match(new RegExp(`fill="([^"]*)" ecmeta_series_index="${series}"`))?.[1],
    );
    expect(new Set(colours).size).toBe(4);
    expect(legendOf(figure).map(({ name, colour }) => [name, colour])).toEqual(
      ['shared', 'click only', 'conversion only', 'dead'].map((name, series) => [name, colours[series]]),
    );
    expect(figure.text.indexOf('class="legend"')).toBeLessThan(figure.text.indexOf('class="desk"'));
  });

  it('keeps everything on the picture, and grows with the number of layers', () => {
    expectEverythingInside(chart);
    expectRoomForLabelsAtTheLeft(chart, 'layer 1 (4 x 10)');
    const deep = readChart(
      connectionChart(
        'ncs',
        Array.from({ length: 8 }, (_, index) => layer(index, [4, 8, 12, 16])),
      ),
    );
    expectEverythingInside(deep);
    const middles = [...new Set(deep.bars.map(({ middle }) => middle))].sort((a, b) => a - b);
    expect(middles).toHaveLength(8);
    for (const [i, middle] of middles.slice(1).entries()) expect(middle - middles[i]!).toBeGreaterThan(30);
  });
});

describe('every chart', () => {
  const curve = [1, 2].map((step) => ({ step, epoch: 0, clickAuc: 0.6, conversionAuc: 0.6 }));
  const difference = { mean: 0.01, low: 0, high: 0.02, values: [0.01] };
  const document = {
    reference: 'ncs',
    arms: { ncs: { runs: [{ curve }] } },
    paired: { mmoe: { 'click.auc': difference } },
  } as unknown as ComparisonDocument;
  const layer = {
    layer: 0,
    inputWidth: 2,
    outputWidth: 2,
    shared: 1,
    clickOnly: 1,
    conversionOnly: 1,
    dead: 1,
  };
  const charts: readonly [string, () => Html][] = [
    ['of differences', () => pairedChart(document, 'click.auc')],
    ['of learning curves', () => curveChart(document, 'clickAuc', 'AUC by step.')],
    ['of connections', () => connectionChart('ncs', [layer as unknown as LayerConnections])],
  ];

  it.each(charts)(
    'is one piece of SVG that neither moves nor needs a font of its own: %s',
    (_title, draw) => {
      const svg = drawingOf(draw());
      expect(svg).toMatch(/^<svg .*<\/svg>\s*$/s);
      expect(svg).not.toMatch(/<animate|@keyframes|animation/);
      const fonts = svg.match(/font-family:[^;]*/g) ?? [];
      expect(new Set(fonts)).toEqual(new Set(['font-family:system-ui, sans-serif']));
    },
  );

  it.each(charts)(
    'is drawn in the colours of the page alone, which follow light and dark: %s',
    (_title, draw) => {
      for (const kind of ['desk', 'phone'] as const) {
        // What cuts a drawing off at its axes has a colour that nobody sees.
        const drawing = drawingOf(draw(), kind).replaceAll(/<clipPath.*?<\/clipPath>/gs, '');
        const colours = [...drawing.matchAll(/(?:fill|stroke)="(.*?)"/g)].map(([, colour]) => colour);
        expect(colours.length).toBeGreaterThan(5);
        for (const colour of colours)
          expect(colour).toMatch(/^(none|transparent|var\(--(ink|muted|line|none|surface|series-[1-8])\))$/);
      }
    },
  );

  it.each([
    ['click.auc: ncs minus arm', () => pairedChart(document, 'click.auc')],
    ['optimiser steps', () => curveChart(document, 'clickAuc', 'AUC by step.')],
  ] as const)('has the title of its axis below the middle of it: %s', (title, draw) => {
    const { texts, lines, height } = readChart(draw());
    const { x, y } = texts.find(({ text }) => text === title)!;
    // The axes, not the marks of the legend, which are drawn elsewhere and moved.
    const drawn = lines.filter(({ tag }) => !tag.includes('transform='));
    const ends = drawn.flatMap(({ points }) => points.map(([end]) => end));
    expect(Math.abs(x - (Math.min(...ends) + Math.max(...ends)) / 2)).toBeLessThan(10);
    expect(y).toBeGreaterThan(height - 30);
  });
});
