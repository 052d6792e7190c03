import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { folded } from './dataTable.ts';
import { Html, html } from './html.ts';

use([
  ...[BarChart, CustomChart, LineChart, ScatterChart],
  ...[GridComponent, MarkLineComponent, SVGRenderer],
]);

/** Series colours of the page's style. */
const SERIES_COLOURS = 8;

/**
 * Colours as ECharts is given them, which it checks and may take apart: none of them is a colour that a chart would have by
 * chance. In the drawing they become the page's variables.
 */
const PLACEHOLDERS: ReadonlyMap<string, string> = new Map([
  ['#01fe01', '--ink'],
  ['#01fe02', '--muted'],
  ['#01fe03', '--line'],
  ['#01fe04', '--none'],
  ['#01fe05', '--surface'],
  ...Array.from(
    { length: SERIES_COLOURS },
    (_, index) => [`#01fe1${index}`, `--series-${index + 1}`] as const,
  ),
]);
const placeholderOf = new Map([...PLACEHOLDERS].map(([colour, name]) => [name, colour]));

/** Of text, of text that matters less, of lines, of what is of no kind, and of the ground. */
export const COLOURS = {
  ink: placeholderOf.get('--ink')!,
  muted: placeholderOf.get('--muted')!,
  line: placeholderOf.get('--line')!,
  none: placeholderOf.get('--none')!,
  surface: placeholderOf.get('--surface')!,
} as const;

/** The colour of a series, from 0 on; they begin again after the last. */
export function seriesColour(index: number): string {
  return placeholderOf.get(`--series-${(index % SERIES_COLOURS) + 1}`)!;
}

/** A colour of a chart as CSS has it. */
function cssColour(colour: string): string {
  return `var(${PLACEHOLDERS.get(colour)!})`;
}

/** Series beyond the number of colours differ by how their lines are broken. */
export function seriesDash(index: number): 'solid' | 'dashed' | 'dotted' {
  return (['solid', 'dashed', 'dotted'] as const)[Math.floor(index / SERIES_COLOURS) % 3]!;
}

/** Pixels: of a page as wide as it gets, and of a phone. Letters have the same size in both. */
const WIDTHS = { desk: 1000, phone: 350 } as const;

/** What a chart is drawn on. */
interface Canvas {
  readonly width: number;
  readonly isPhone: boolean;
}

/** What ECharts hands to a custom series. */
export interface CustomApi {
  value(dimension: number): number;
  coord(point: readonly number[]): [number, number];
}

export interface Chart {
  /** What it shows, for those too who don't see it. */
  readonly caption: string;
  /** A table with the chart's numbers, folded below it; undefined only where a table stands beside it anyway. */
  readonly numbers: Html | undefined;
  readonly legend?: readonly LegendEntry[];
  /** Pixels. */
  readonly height: number | ((canvas: Canvas) => number);
  readonly option: (canvas: Canvas) => EChartsCoreOption;
}

export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
  readonly dash?: 'solid' | 'dashed' | 'dotted';
  readonly isArea?: boolean;
}

/** A chart as inline SVG in both widths, of which the page shows one: no script draws it again. */
export function chartFigure({ caption, numbers, legend, height, option }: Chart): Html {
  const draw = (kind: keyof typeof WIDTHS) => {
    const canvas = { width: WIDTHS[kind], isPhone: kind === 'phone' };
    const pixels = typeof height === 'number' ? height : height(canvas);
    return new Html(`<div class="${kind}">${drawSvg(option(canvas), canvas.width, pixels)}</div>`);
  };
  return html`<figure>${legend && legendList(legend)}<div role="img" aria-label="${caption}">${draw('desk')}${draw('phone')}</div><figcaption>${caption}</figcaption></figure>
${numbers && folded('The numbers of this chart', numbers)}`;
}

function drawSvg(option: EChartsCoreOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif', color: COLOURS.ink },
      ...option,
    });
    const svg = chart.renderToSVGString();
    return [...PLACEHOLDERS].reduce(
      (drawn, [colour, name]) => drawn.replaceAll(colour, `var(${name})`),
      // The page's own text, whose size follows from the width.
      svg.replace(/^<svg width="\d+" height="\d+"/, '<svg aria-hidden="true"'),
    );
  } finally {
    chart.dispose();
  }
}

/** Beside the drawing, not in it: text wraps on any width. */
function legendList(entries: readonly LegendEntry[]): Html {
  const dashes = { solid: 'none', dashed: '6 3', dotted: '2 2' } as const;
  const swatch = ({ colour, dash = 'solid', isArea = false }: LegendEntry) =>
    new Html(
      `<svg viewBox="0 0 26 10" aria-hidden="true">${
        isArea
          ? `<rect width="26" height="10" rx="2" fill="${cssColour(colour)}"/>`
          : `<path d="M0 5H26" stroke="${cssColour(colour)}" stroke-width="3" stroke-dasharray="${dashes[dash]}"/>`
      }</svg>`,
    );
  return html`<ul class="legend">${entries.map((entry) => html`<li>${swatch(entry)}${entry.name}</li>`)}</ul>`;
}
