import type { Html } from '../../lib/page/html.ts';

/** What stands in a chart's SVG, read back by its own axes. Lengths in the SVG's pixels, from its upper left corner. */
export interface Chart {
  readonly width: number;
  readonly height: number;
  readonly texts: readonly { readonly x: number; readonly y: number; readonly text: string }[];
  /** Straight lines from point to point, by attributes. */
  readonly lines: readonly {
    readonly points: readonly (readonly [number, number])[];
    readonly tag: string;
  }[];
  /** Filled rectangles of the data, in drawing order. */
  readonly bars: readonly {
    readonly left: number;
    readonly width: number;
    readonly middle: number;
    readonly series: number;
  }[];
  /** Round marks of the data. */
  readonly dots: readonly { readonly x: number; readonly y: number; readonly series: number }[];
  /** The value at a horizontal position, by the labels below the chart. */
  readonly valueAt: (x: number) => number;
  /** The value at a vertical position, by the labels at the left. */
  readonly heightAt: (y: number) => number;
  /** The label at the left that stands at a vertical position. */
  readonly rowAt: (y: number) => string;
}

const NUMBER = '(-?[\\d.]+)';

/** A label's number; per cent are hundredths. */
function numberOf(text: string): number {
  return text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
}

/** The drawings of a figure. */
export function drawingOf({ text }: Html, kind: 'desk' | 'phone' = 'desk'): string {
  return new RegExp(`<div class="${kind}">(<svg .*?</svg>)`, 's').exec(text)![1]!;
}

export function readChart(figure: Html, kind: 'desk' | 'phone' = 'desk'): Chart {
  const svg = drawingOf(figure, kind);
  const [, width, height] = svg.match(new RegExp(`^<svg [^>]*viewBox="0 0 ${NUMBER} ${NUMBER}"`))!;
  const all = (pattern: string) => [...svg.matchAll(new RegExp(pattern, 'g'))];
  const labels = all(`<text ([^>]*)transform="translate\\(${NUMBER} ${NUMBER}\\)"[^>]*>([^<]*)</text>`).map(
    ([, attributes, x, y, text]) => ({
      x: Number(x),
      y: Number(y),
      text: text!,
      isLeft: attributes!.includes('text-anchor="end"'),
      isBelow: attributes!.includes('text-anchor="middle"') && Number.isFinite(numberOf(text!)),
    }),
  );
  const atLeft = labels.filter(({ isLeft }) => isLeft);
  const scaleOf = (ticks: readonly { readonly at: number; readonly value: number }[]) => {
    const [first, last] = [ticks[0]!, ticks.at(-1)!];
    return (at: number) =>
      first.value + ((at - first.at) * (last.value - first.value)) / (last.at - first.at);
  };
  return {
    width: Number(width),
    height: Number(height),
    texts: labels,
    lines: all('<path d="M([-\\d. L]+)"[^>]*>').map(([tag, path]) => ({
      tag: tag!,
      points: path!.split('L').map((point) => point.trim().split(' ').map(Number) as [number, number]),
    })),
    bars: all(
      `<path d="M${NUMBER} ${NUMBER}l${NUMBER} 0l0 ${NUMBER}l[^"]*"[^>]*ecmeta_series_index="(\\d)"[^>]*ecmeta_ssr_type="chart"`,
    ).map(([, left, top, barWidth, barHeight, series]) => ({
      left: Number(left),
      width: Number(barWidth),
      middle: Number(top) + Number(barHeight) / 2,
      series: Number(series),
    })),
    dots: all(
      `<path d="M1 0A[^>]*transform="matrix\\([^,]*,0,0,[^,]*,${NUMBER},${NUMBER}\\)"[^>]*ecmeta_series_index="(\\d)"`,
    ).map(([, x, y, series]) => ({ x: Number(x), y: Number(y), series: Number(series) })),
    valueAt: scaleOf(
      labels.filter(({ isBelow }) => isBelow).map(({ x, text }) => ({ at: x, value: numberOf(text) })),
    ),
    heightAt: scaleOf(atLeft.map(({ y, text }) => ({ at: y, value: numberOf(text) }))),
    rowAt: (y) =>
      atLeft.reduce((best, label) => (Math.abs(label.y - y) < Math.abs(best.y - y) ? label : best)).text,
  };
}
