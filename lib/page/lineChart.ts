import { guideLine, valueAxis } from './chartAxes.ts';
import { dataTable } from './dataTable.ts';
import { COLOURS, chartFigure, seriesColour, seriesDash } from './drawChart.ts';
import type { Html } from './html.ts';

interface LineSeries {
  readonly name: string;
  /** By x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** From series to series by default. */
  readonly colour?: string;
}

export interface LineChart {
  readonly caption: string;
  readonly xName: string;
  readonly yName: string;
  readonly series: readonly LineSeries[];
  readonly formatX?: (x: number) => string;
  /** No labels between whole numbers of x. */
  readonly areXWhole?: boolean;
  readonly formatY?: (y: number) => string;
  /** Draws y = x, for two quantities that should be the same. */
  readonly hasDiagonal?: boolean;
  /** Of the y axis, from the points by default. */
  readonly yRange?: { readonly min?: number; readonly max?: number };
  /** A value of y to compare with. */
  readonly yGuide?: number;
  /** Areas stand beside each other, as of histograms: each y holds up to the next x. */
  readonly isStepped?: boolean;
}

const plain = (value: number) => Number(value.toPrecision(4)).toLocaleString('en-US');

/** Names are longer than numbers: beside the axis they would be cut off. */
const ENDS_INSIDE = { alignMinLabel: 'left', alignMaxLabel: 'right' };

/** Lines over a common axis of numbers. */
export function lineChart({
  caption,
  xName,
  yName,
  series,
  formatX = plain,
  areXWhole = false,
  formatY = plain,
  hasDiagonal = false,
  yRange = {},
  yGuide,
  isStepped = false,
}: LineChart): Html {
  const colourOf = (index: number) => series[index]!.colour ?? seriesColour(index);
  const largest = Math.max(0, ...series.flatMap(({ points }) => points.flat()));
  return chartFigure({
    caption,
    numbers: dataTable({
      caption,
      columns: [
        { title: xName, kind: 'number' },
        ...series.map(({ name }) => ({ title: name, kind: 'number' as const })),
      ],
      rows: rowsByX(series).map(([x, ...ys]) => [
        formatX(x!),
        ...ys.map((y) => (Number.isNaN(y) ? '—' : formatY(y))),
      ]),
    }),
    legend: series.map(({ name }, index) => ({ name, colour: colourOf(index), dash: seriesDash(index) })),
    height: ({ isPhone }) => (isPhone ? 260 : 340),
    option: ({ isPhone }) => ({
      grid: { left: isPhone ? 58 : 74, right: 16, top: 14, bottom: 48 },
      xAxis: valueAxis(xName, formatX, {
        ...{ min: 'dataMin', max: 'dataMax' },
        ...(areXWhole ? { minInterval: 1, axisLabel: ENDS_INSIDE } : {}),
      }),
      yAxis: valueAxis(yName, formatY, { scale: true, nameGap: isPhone ? 44 : 56, ...yRange }),
      series: [
        ...series.map(({ name, points }, index) => ({
          ...{ type: 'line', name, silent: true, symbol: 'circle', symbolSize: isStepped ? 0 : 5 },
          ...(isStepped ? { step: 'end' } : {}),
          data: points.map(([x, y]) => [x, y]),
          itemStyle: { color: colourOf(index) },
          lineStyle: { color: colourOf(index), width: 2, type: seriesDash(index) },
          ...(index === 0 && yGuide !== undefined ? { markLine: guideLine({ yAxis: yGuide }) } : {}),
        })),
        ...(hasDiagonal
          ? [
              {
                ...{ type: 'line', silent: true, symbolSize: 0 },
                data: [
                  [0, 0],
                  [largest, largest],
                ],
                lineStyle: { color: COLOURS.muted, width: 1, type: 'dashed' },
              },
            ]
          : []),
      ],
    }),
  });
}

/** A row for each x of any series: x, then every series' y there, NaN where it has none. */
function rowsByX(series: readonly LineSeries[]): number[][] {
  const maps = series.map(({ points }) => new Map(points));
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  return xs.map((x) => [x, ...maps.map((map) => map.get(x) ?? Number.NaN)]);
}
