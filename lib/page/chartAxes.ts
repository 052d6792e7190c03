import type { EChartsCoreOption } from 'echarts/core';
import { COLOURS } from './drawChart.ts';

const TEXT = { color: COLOURS.muted, fontSize: 12 };
const LINE = { lineStyle: { color: COLOURS.line } };

/**
 * An axis of numbers.
 * @param name what they are, with their unit
 * @param formatter of the labels
 */
export function valueAxis(
  name: string,
  formatter?: (value: number) => string,
  { axisLabel, ...more }: EChartsCoreOption & { readonly axisLabel?: object } = {},
): EChartsCoreOption {
  return {
    type: 'value',
    name,
    nameLocation: 'middle',
    nameGap: 30,
    nameTextStyle: TEXT,
    axisLabel: {
      ...TEXT,
      hideOverlap: true,
      ...(formatter === undefined ? {} : { formatter }),
      ...axisLabel,
    },
    axisLine: LINE,
    splitLine: LINE,
    ...more,
  };
}

/** An axis of names, from the top downwards. @param room pixels for the names, which go on in the next line where they are longer */
export function nameAxis(names: readonly string[], room: number): EChartsCoreOption {
  return {
    type: 'category',
    data: [...names],
    inverse: true,
    axisLabel: {
      ...TEXT,
      color: COLOURS.ink,
      width: room - 12,
      overflow: 'break',
      lineHeight: 12,
      interval: 0,
    },
    axisTick: { show: false },
    axisLine: LINE,
  };
}

/** A vertical or horizontal line that the eye compares with. */
export function guideLine(at: { readonly xAxis: number } | { readonly yAxis: number }): EChartsCoreOption {
  return {
    silent: true,
    symbol: 'none',
    label: { show: false },
    lineStyle: { color: COLOURS.muted, type: 'dashed' },
    data: [at],
  };
}
