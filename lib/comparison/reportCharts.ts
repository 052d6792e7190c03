import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type {
  ArmSummary,
  ComparisonDocument,
  LayerConnections,
  LearningPoint,
  PairedMetricName,
} from './comparisonDocument.ts';

use([
  BarChart,
  CustomChart,
  GridComponent,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  ScatterChart,
  SVGRenderer,
]);

const WIDTH = 960;

/** The chart as SVG text: drawn here, so that the page needs neither a script nor a network. */
function drawSvg(option: EChartsCoreOption, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'system-ui, sans-serif' }, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** Dots with 95% intervals, one row per arm; right of 0 the reference is better. */
export function pairedChart({ paired, reference }: ComparisonDocument, metric: PairedMetricName): string {
  const names = Object.keys(paired).reverse();
  const differences = names.map((name) => paired[name]![metric]);
  return drawSvg(
    {
      grid: { left: 180, right: 40, top: 20, bottom: 50 },
      xAxis: {
        type: 'value',
        name: `${metric}: ${reference} minus arm`,
        nameLocation: 'middle',
        nameGap: 30,
      },
      yAxis: { type: 'category', data: names },
      series: [
        {
          type: 'custom',
          // The axis must reach the ends of the intervals, not only the means.
          encode: { x: [0, 1], y: 2 },
          data: differences.map(({ low, high }, row) => [low, high, row]),
          renderItem: (_: unknown, api: IntervalApi) => {
            const [start, end] = [
              api.coord([api.value(0), api.value(2)]),
              api.coord([api.value(1), api.value(2)]),
            ];
            const shape = { x1: start[0], y1: start[1], x2: end[0], y2: end[1] };
            return { type: 'line', shape, style: { stroke: '#4677b8', lineWidth: 3 } };
          },
        },
        {
          type: 'scatter',
          symbolSize: 10,
          itemStyle: { color: '#1d3f6e' },
          data: differences.map(({ mean }, row) => [mean, row]),
          markLine: {
            silent: true,
            symbol: 'none',
            label: { show: false },
            lineStyle: { color: '#888', type: 'dashed' },
            data: [{ xAxis: 0 }],
          },
        },
      ],
    },
    70 + 26 * names.length,
  );
}

/** What ECharts hands to a custom series. */
interface IntervalApi {
  value(dimension: number): number;
  coord(point: readonly number[]): [number, number];
}

/** Validation AUC of one task by step, the mean over the seeds, one line per arm. */
export function curveChart({ arms }: ComparisonDocument, metric: 'clickAuc' | 'conversionAuc'): string {
  const series = Object.entries(arms).map(([name, arm]) => ({
    type: 'line',
    name,
    symbolSize: 4,
    data: meanCurve(arm, metric),
  }));
  return drawSvg(
    {
      legend: { top: 0, type: 'plain' },
      grid: { left: 70, right: 30, top: 80, bottom: 50 },
      xAxis: { type: 'value', name: 'optimiser steps', nameLocation: 'middle', nameGap: 30 },
      yAxis: { type: 'value', scale: true, axisLabel: { formatter: (value: number) => value.toFixed(3) } },
      series,
    },
    420,
  );
}

/** Mean over the runs that got as far as a step; a stopped run doesn't hold the others back. */
function meanCurve({ runs }: ArmSummary, metric: 'clickAuc' | 'conversionAuc'): [number, number][] {
  const bySteps = new Map<number, number[]>();
  for (const { curve } of runs) {
    for (const point of curve) add(bySteps, point, point[metric]);
  }
  return [...bySteps]
    .sort(([a], [b]) => a - b)
    .map(([step, values]) => [step, values.reduce((sum, value) => sum + value, 0) / values.length]);
}

function add(bySteps: Map<number, number[]>, { step }: LearningPoint, value: number | null): void {
  if (value === null) return;
  bySteps.set(step, [...(bySteps.get(step) ?? []), value]);
}

/** How the connections of every layer are used, as shares of the layer. */
export function connectionChart(layers: readonly LayerConnections[]): string {
  const names = layers.map(
    ({ layer, inputWidth, outputWidth }) => `layer ${layer} (${inputWidth} x ${outputWidth})`,
  );
  const kinds = [
    { key: 'shared', name: 'shared', color: '#3b6fb6' },
    { key: 'clickOnly', name: 'CTR only', color: '#e08a3c' },
    { key: 'conversionOnly', name: 'CVR only', color: '#5aa469' },
    { key: 'dead', name: 'dead', color: '#c9c9c9' },
  ] as const;
  const share = (layer: LayerConnections, key: (typeof kinds)[number]['key']) =>
    layer[key] / (layer.inputWidth * layer.outputWidth);
  return drawSvg(
    {
      legend: { top: 0 },
      grid: { left: 150, right: 40, top: 40, bottom: 30 },
      xAxis: { type: 'value', max: 1 },
      yAxis: { type: 'category', data: names.toReversed() },
      series: kinds.map(({ key, name, color }) => ({
        type: 'bar',
        stack: 'all',
        name,
        itemStyle: { color },
        data: layers.map((layer) => share(layer, key)).reverse(),
      })),
    },
    90 + 40 * layers.length,
  );
}
