import { guideLine, nameAxis, valueAxis } from './chartAxes.ts';
import { COLOURS, type CustomApi, chartFigure, seriesColour } from './drawChart.ts';
import type { Html } from './html.ts';

interface IntervalRow {
  readonly name: string;
  readonly low: number;
  readonly mean: number;
  readonly high: number;
}

export interface IntervalChart {
  readonly caption: string;
  readonly xName: string;
  readonly rows: readonly IntervalRow[];
  /** As in `Chart`. */
  readonly numbers: Html | undefined;
}

const ROW_PIXELS = 24;

/** A dot with an interval for each name, and a line at 0. */
export function intervalChart({ caption, xName, rows, numbers }: IntervalChart): Html {
  const names = rows.map(({ name }) => name);
  return chartFigure({
    caption,
    numbers,
    height: 62 + ROW_PIXELS * rows.length,
    option: ({ isPhone }) => {
      const room = isPhone ? 116 : 200;
      return {
        grid: { left: room, right: 24, top: 8, bottom: 48 },
        xAxis: valueAxis(xName),
        yAxis: nameAxis(names, room),
        series: [
          {
            type: 'custom',
            silent: true,
            // The axis must reach the ends of the intervals, not only the means.
            encode: { x: [0, 1], y: 2 },
            data: rows.map(({ low, high }, row) => [low, high, row]),
            renderItem: (_: unknown, api: CustomApi) => {
              const [start, end] = [
                api.coord([api.value(0), api.value(2)]),
                api.coord([api.value(1), api.value(2)]),
              ];
              const shape = { x1: start[0], y1: start[1], x2: end[0], y2: end[1] };
              return { type: 'line', shape, style: { stroke: seriesColour(0), lineWidth: 3, fill: 'none' } };
            },
          },
          {
            ...{ type: 'scatter', silent: true, symbolSize: 10 },
            itemStyle: { color: COLOURS.ink },
            data: rows.map(({ mean }, row) => [mean, row]),
            markLine: guideLine({ xAxis: 0 }),
          },
        ],
      };
    },
  });
}
