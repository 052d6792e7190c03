import { nameAxis, valueAxis } from './chartAxes.ts';
import { chartFigure, type LegendEntry } from './drawChart.ts';
import type { Html } from './html.ts';

export interface ShareChart {
  readonly caption: string;
  /** In the order of the legend. */
  readonly kinds: readonly { readonly name: string; readonly colour: string }[];
  /** Of each row the amount of every kind; shares are of their sum. */
  readonly rows: readonly { readonly name: string; readonly amounts: readonly number[] }[];
  /** As in `Chart`. */
  readonly numbers: Html | undefined;
}

const ROW_PIXELS = 34;

/** One bar per row, divided by kind. */
export function shareChart({ caption, kinds, rows, numbers }: ShareChart): Html {
  const share = ({ amounts }: ShareChart['rows'][number], kind: number) => {
    const all = amounts.reduce((sum, amount) => sum + amount, 0);
    return all === 0 ? 0 : amounts[kind]! / all;
  };
  return chartFigure({
    caption,
    numbers,
    legend: kinds.map(({ name, colour }): LegendEntry => ({ name, colour, isArea: true })),
    height: 40 + ROW_PIXELS * rows.length,
    option: ({ isPhone }) => {
      const room = isPhone ? 116 : 150;
      return {
        grid: { left: room, right: 24, top: 4, bottom: 28 },
        xAxis: valueAxis('', (share) => `${Math.round(100 * share)}%`, { max: 1 }),
        yAxis: nameAxis(
          rows.map(({ name }) => name),
          room,
        ),
        series: kinds.map(({ name, colour }, kind) => ({
          ...{ type: 'bar', stack: 'all', name, silent: true, barWidth: '62%' },
          itemStyle: { color: colour },
          data: rows.map((row) => share(row, kind)),
        })),
      };
    },
  });
}
