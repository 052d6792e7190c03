import { valueAxis } from '../page/chartAxes.ts';
import { dataTable } from '../page/dataTable.ts';
import { COLOURS, type CustomApi, chartFigure, seriesColour } from '../page/drawChart.ts';
import { countText, secondsText } from '../page/formatNumbers.ts';
import type { Html } from '../page/html.ts';

/** What became of a piece of work. */
type BarState = 'scored' | 'done' | 'dropped' | 'failed' | 'published';

/** A piece of work, in seconds since the run began. */
export interface WaterfallBar {
  readonly name: string;
  readonly rows: number | null;
  readonly startSeconds: number;
  readonly seconds: number;
  readonly state: BarState;
}

const STATES: readonly { readonly state: BarState; readonly name: string; readonly colour: string }[] = [
  { state: 'scored', name: 'scored', colour: seriesColour(0) },
  { state: 'done', name: 'done before', colour: COLOURS.none },
  { state: 'dropped', name: 'dropped, to be cut anew', colour: seriesColour(1) },
  { state: 'failed', name: 'failed', colour: seriesColour(4) },
  { state: 'published', name: 'judged and published', colour: seriesColour(2) },
];

/** Pixels of a lane: many lanes are thin ones. */
const LANE = { most: 22, least: 4, all: 520 };

/** What ran when: work that ran at the same time stands in different lanes. */
export function waterfallChart(
  caption: string,
  bars: readonly WaterfallBar[],
  xName = 'seconds since the run began',
): Html {
  const lanes = lanesOf(bars);
  const laneCount = Math.max(1, ...lanes.map((lane) => lane + 1));
  const lanePixels = Math.max(LANE.least, Math.min(LANE.most, LANE.all / laneCount));
  const isUsed = ({ state }: (typeof STATES)[number]) => bars.some((bar) => bar.state === state);
  return chartFigure({
    caption,
    numbers: dataTable({
      caption,
      columns: [
        { title: 'what' },
        { title: 'state' },
        ...['rows', 'began after', 'took'].map((title) => ({ title, kind: 'number' as const })),
      ],
      rows: bars.map(({ name, rows, startSeconds, seconds, state }) => [
        name,
        STATES.find((each) => each.state === state)!.name,
        countText(rows),
        secondsText(startSeconds),
        secondsText(seconds),
      ]),
    }),
    legend: STATES.filter(isUsed).map(({ name, colour }) => ({ name, colour, isArea: true })),
    height: 56 + Math.round(lanePixels * laneCount),
    option: () => ({
      grid: { left: 12, right: 20, top: 6, bottom: 46 },
      xAxis: valueAxis(xName, undefined, { min: 0 }),
      yAxis: {
        ...{ type: 'value', min: 0, max: laneCount, inverse: true },
        ...{ axisLabel: { show: false }, splitLine: { show: false }, axisLine: { show: false } },
        axisTick: { show: false },
      },
      series: [
        {
          ...{ type: 'custom', silent: true, encode: { x: [0, 1], y: 2 } },
          data: bars.map(({ startSeconds, seconds, state }, index) => [
            startSeconds,
            startSeconds + seconds,
            lanes[index]!,
            STATES.findIndex((each) => each.state === state),
          ]),
          renderItem: (_: unknown, api: CustomApi) => {
            const [left, top] = api.coord([api.value(0), api.value(2)]);
            const [right, bottom] = api.coord([api.value(1), api.value(2) + 1]);
            const gap = lanePixels > 8 ? 2 : 0.5;
            return {
              type: 'rect',
              shape: {
                ...{ x: left, y: top + gap },
                // A piece that took no time at all is seen, too.
                ...{ width: Math.max(1.5, right - left - 1), height: bottom - top - 2 * gap },
              },
              style: { fill: STATES[api.value(3)]!.colour },
            };
          },
        },
      ],
    }),
  });
}

/** For each bar the first lane that is free when it begins. */
function lanesOf(bars: readonly WaterfallBar[]): number[] {
  const lanes = new Array<number>(bars.length).fill(0);
  const freeAt: number[] = [];
  const order = [...bars.keys()].sort((a, b) => bars[a]!.startSeconds - bars[b]!.startSeconds);
  for (const index of order) {
    const { startSeconds, seconds } = bars[index]!;
    const free = freeAt.findIndex((at) => at <= startSeconds);
    const lane = free === -1 ? freeAt.length : free;
    lanes[index] = lane;
    freeAt[lane] = startSeconds + seconds;
  }
  return lanes;
}
