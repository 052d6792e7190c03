import { sumOf } from '../base/sumOf.ts';
import { nameAxis } from '../page/chartAxes.ts';
import { dataTable } from '../page/dataTable.ts';
import { COLOURS, type CustomApi, chartFigure, seriesColour } from '../page/drawChart.ts';
import { countText, shareText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { shareChart } from '../page/shareChart.ts';
import type { RecordedMap } from './trainingRecord.ts';

const KINDS = [
  { key: 'shared', percents: 'sharedPercents', name: 'shared', colour: seriesColour(0) },
  { key: 'clickOnly', percents: 'clickPercents', name: 'click only', colour: seriesColour(1) },
  { key: 'conversionOnly', percents: 'conversionPercents', name: 'conversion only', colour: seriesColour(2) },
] as const;
const DEAD = { name: 'dead', colour: COLOURS.none };

/** How the tasks share the connections: of every layer by its inputs, and as a picture of each mask. */
export function maskSection(layers: RecordedMap): Html {
  return html`<p>A connection is shared when both tasks keep it. Of the first layer, inputs are put together by the feature that
they come from; of later layers, with their neighbours.</p>
${shareChart({
  caption: 'Connections by use, as shares of each layer',
  kinds: [...KINDS, DEAD],
  rows: layers.map((layer) => ({
    name: `layer ${layer.layer} (${layer.inputWidth} x ${layer.outputWidth})`,
    amounts: amountsOf(layer.rows),
  })),
  numbers: useTable(
    'Connections of every layer by use',
    layers.map((layer) => ({ name: `layer ${layer.layer}`, rows: layer.rows })),
  ),
})}
${layers.map((layer) => html`<h3>Layer ${layer.layer}</h3>${picture(layer)}${layer.layer === 0 && byFeature(layer)}`)}`;
}

type MapRow = RecordedMap[number]['rows'][number];

function amountsOf(rows: readonly MapRow[]): number[] {
  return [...KINDS.map(({ key }) => sumOf(rows, (row) => row[key])), sumOf(rows, ({ dead }) => dead)];
}

function useTable(
  caption: string,
  named: readonly { readonly name: string; readonly rows: readonly MapRow[] }[],
): Html {
  return dataTable({
    caption,
    columns: [
      { title: 'of' },
      ...['shared', 'click only', 'conversion only', 'dead', 'shared of those in use'].map((title) => ({
        title,
        kind: 'number' as const,
      })),
    ],
    rows: named.map(({ name, rows }) => {
      const [shared, clickOnly, conversionOnly, dead] = amountsOf(rows) as [number, number, number, number];
      const used = shared + clickOnly + conversionOnly;
      return [
        name,
        ...[shared, clickOnly, conversionOnly, dead].map(countText),
        shareText(used === 0 ? null : shared / used),
      ];
    }),
  });
}

function byFeature({ rows }: RecordedMap[number]): Html {
  return shareChart({
    caption: 'Connections of the first layer by feature: which of them the tasks look at together',
    kinds: [...KINDS, DEAD],
    rows: rows.map((row) => ({ name: row.name, amounts: amountsOf([row]) })),
    numbers: useTable(
      'Connections of the first layer by feature',
      rows.map((row) => ({ name: row.name, rows: [row] })),
    ),
  });
}

/** Pixels of a row of the picture; the rows' names need as much where they are features. */
const ROW_PIXELS = 15;

/** A cell for each block of inputs and of units, in the colour of its most frequent use, the more of it the stronger. */
function picture({ layer, rows, outputWidth }: RecordedMap[number]): Html {
  const columns = rows[0]!.sharedPercents.length / 2;
  const cells = rows.flatMap((row, y) =>
    Array.from({ length: columns }, (_, x) => {
      const shares = KINDS.map((kind) => Number(row[kind.percents].slice(2 * x, 2 * x + 2)) / 99);
      const most = Math.max(...shares);
      return [x, y, shares.indexOf(most), most] as const;
    }),
  );
  return chartFigure({
    caption: `Mask map of layer ${layer}: inputs from the top, its ${outputWidth} units from the left in ${columns} blocks, each in the colour of its most frequent use.`,
    // The counts stand in the tables of uses; single blocks mean nothing by themselves.
    numbers: undefined,
    legend: KINDS.map(({ name, colour }) => ({ name, colour, isArea: true })),
    height: 20 + ROW_PIXELS * rows.length,
    option: ({ isPhone }) => {
      const room = isPhone ? 110 : 160;
      return {
        grid: { left: room, right: 12, top: 6, bottom: 10 },
        xAxis: { type: 'value', min: 0, max: columns, show: false },
        yAxis: nameAxis(
          rows.map(({ name }) => name),
          room,
        ),
        series: [
          {
            ...{ type: 'custom', silent: true, encode: { x: 0, y: 1 } },
            data: cells.map((cell) => [...cell]),
            renderItem: (_: unknown, api: CustomApi) => {
              const [left, middle] = api.coord([api.value(0), api.value(1)]);
              const [right] = api.coord([api.value(0) + 1, api.value(1)]);
              return {
                type: 'rect',
                shape: { x: left, y: middle - ROW_PIXELS / 2, width: right - left, height: ROW_PIXELS },
                style: { fill: KINDS[api.value(2)]!.colour, opacity: Math.sqrt(api.value(3)) },
              };
            },
          },
        ],
      };
    },
  });
}
