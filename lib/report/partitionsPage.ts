import { SCORE_NAMES } from '../base/tasks.ts';
import { dataTable } from '../page/dataTable.ts';
import { countText, decimalText, secondsText, timeText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { lineChart } from '../page/lineChart.ts';
import { badge, factList, renderPage, type Tone } from '../page/renderPage.ts';
import { populationStability } from '../profile/populationStability.ts';
import { describeFailure } from '../publish/lastFailure.ts';
import { isShadowRoot } from '../publish/outputLayout.ts';
import { describeMissingInput } from '../publish/pointer.ts';
import { countVerdicts } from './gateSection.ts';
import { newestDay } from './newestDay.ts';
import type { ListedPartition } from './readPartitions.ts';
import { unreadableNote } from './unreadableNote.ts';

const TONES: Readonly<Record<ListedPartition['stage'], Tone>> = {
  ...{
    published: 'good',
    shadowed: 'neutral',
    late: 'warn',
    held: 'warn',
    blocked: 'bad',
    complete: 'neutral',
    landing: 'neutral',
  },
};
/** For phones, where a day has no room for the word. */
const SIGNS: Readonly<Record<ListedPartition['stage'], string>> = {
  ...{ published: '✓', shadowed: '◌', late: '↻', held: '‖', blocked: '✕', complete: '○', landing: '…' },
};
/** What a day with several partitions is shown as: the one that somebody has to look at first. */
const GRAVEST: readonly ListedPartition['stage'][] = [
  'blocked',
  'held',
  'late',
  'complete',
  'landing',
  'shadowed',
  'published',
];

export interface PartitionsPage {
  /** Output root of the scores. */
  readonly root: string;
  /** By time. */
  readonly partitions: readonly ListedPartition[];
  /** Days between the input's first and last that have no partition; undefined where no job says what there should be. */
  readonly missingDays: readonly string[] | undefined;
  /** Why files are left out that should tell of the partitions, with code and file. */
  readonly unreadable: readonly string[];
  /** Of a partition's own report, relative to the page; undefined where there is none. */
  readonly linkOf: (partition: string) => string | undefined;
  /** Milliseconds since 1970. */
  readonly nowMillis: number;
}

/** All partitions of a root: a calendar, what changes from day to day, and a table. */
export function partitionsPage(page: PartitionsPage): string {
  const { root, partitions, missingDays, unreadable, nowMillis } = page;
  const count = (stage: ListedPartition['stage']) => partitions.filter((each) => each.stage === stage).length;
  const published = partitions.filter(({ pointer }) => pointer !== null);
  const newest = newestDay(published.map(({ partition }) => partition));
  const last = Math.max(...published.map(({ flippedMillis }) => flippedMillis ?? 0));
  const isShadow = isShadowRoot(root);
  const what = isShadow ? 'What shadow runs have left, and no reader sees,' : 'What readers find';
  return renderPage({
    title: 'partitions',
    heading: isShadow ? 'Partitions of shadow runs' : 'Published partitions',
    lead: html`<p>${what} below <code>${root}</code>, as of ${timeText(nowMillis)}.</p>`,
    sections: [
      {
        title: 'At a glance',
        body: html`${factList([
          {
            name: isShadow ? 'in the shadow' : 'published',
            value: countText(published.length),
            detail: `of ${partitions.length} partitions`,
          },
          { name: 'blocked by a gate', value: countText(count('blocked')) },
          { name: 'held', value: countText(count('held')) },
          // Only a job's input tells.
          ...(missingDays === undefined
            ? []
            : [
                { name: 'late', value: countText(count('late')), detail: 'the input has changed since' },
                { name: 'not published yet', value: countText(count('complete') + count('landing')) },
                { name: 'days without a partition', value: countText(missingDays.length) },
              ]),
          {
            name: isShadow ? 'newest day' : 'newest published day',
            value: newest?.day ?? '—',
            detail:
              newest === undefined
                ? undefined
                : [ageText(nowMillis - newest.endMillis), newest.region]
                    .filter((text) => text !== '')
                    .join('; '),
          },
          { name: 'last flip', value: last > 0 ? timeText(last) : '—' },
        ])}${unreadableNote(unreadable)}`,
      },
      { title: 'Calendar', body: calendar(page) },
      { title: 'From day to day', body: trends(partitions) },
      { title: 'Partitions', body: partitionTable(page) },
    ],
  });
}

function ageText(millis: number): string {
  return millis < 0 ? 'not over yet' : `ended ${secondsText(millis / 1000)} ago`;
}

/** A grid for each month that has a partition, Mondays first. */
function calendar(page: PartitionsPage): Html {
  const byDay = new Map<string, ListedPartition[]>();
  for (const partition of page.partitions) {
    if (partition.day === undefined) continue;
    byDay.set(partition.day, [...(byDay.get(partition.day) ?? []), partition]);
  }
  const missing = new Set(page.missingDays ?? []);
  const months = [...new Set([...byDay.keys(), ...missing].map((day) => day.slice(0, 7)))].sort();
  if (months.length === 0) return html`<p>No partition has a date in its name.</p>`;
  const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  const grid = (month: string) => {
    const cells = daysOf(month).map((day) =>
      day === null ? html`<td></td>` : dayCell(day, byDay.get(day), missing.has(day), page),
    );
    const weeks = Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(7 * week, 7 * week + 7));
    return html`<table class="calendar"><caption>${month}</caption><thead><tr>${weekdays.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${weeks.map((week) => html`<tr>${week}</tr>`)}</tbody></table>`;
  };
  return html`<p>Every day with the state of its partitions, and their rows. A day with a report of its own is a link.</p>
<p class="note sign">${Object.entries(SIGNS)
    .map(([stage, sign]) => `${sign} ${stage}`)
    .join(', ')}</p>
<div class="months">${months.map(grid)}</div>`;
}

/** Whole weeks; null for days of other months. @param month YYYY-MM */
function daysOf(month: string): (string | null)[] {
  const first = new Date(`${month}-01T00:00:00Z`);
  const before = (first.getUTCDay() + 6) % 7;
  const count = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const length = Math.ceil((before + count) / 7) * 7;
  return Array.from({ length }, (_, index) => {
    const date = index - before + 1;
    return date < 1 || date > count ? null : `${month}-${String(date).padStart(2, '0')}`;
  });
}

function dayCell(
  day: string,
  partitions: readonly ListedPartition[] | undefined,
  isMissing: boolean,
  { linkOf }: PartitionsPage,
): Html {
  const date = Number(day.slice(8));
  if (partitions === undefined) {
    return isMissing
      ? html`<td><span class="day bad"><b>${date}</b><br>missing</span></td>`
      : html`<td><span class="day"><b>${date}</b></span></td>`;
  }
  const stage = GRAVEST.find((each) => partitions.some((partition) => partition.stage === each))!;
  const rows = partitions.reduce((sum, { pointer }) => sum + (pointer?.current.rows ?? 0), 0);
  const alike = partitions.filter((partition) => partition.stage === stage).length;
  const several =
    partitions.length === 1
      ? ''
      : alike === partitions.length
        ? `${alike} × `
        : `${alike} of ${partitions.length} `;
  const content = html`<b>${date}</b> <span class="sign" aria-hidden="true">${SIGNS[stage]}</span><br><span class="word">${several}${stage}</span> ${rows > 0 && shortCount(rows)}`;
  const links = partitions.flatMap(({ partition }) => linkOf(partition) ?? []);
  // Of several, each has its own in the table.
  if (links.length !== 1 || partitions.length > 1)
    return html`<td><span class="day ${TONES[stage]}">${content}</span></td>`;
  return html`<td><a class="day ${TONES[stage]}" href="${links[0]}">${content}</a></td>`;
}

/** 1,234,567 -> `1.2M` */
function shortCount(count: number): string {
  return new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 }).format(count);
}

/** `region=eu/dt=2026-03-01` -> `eu 2026-03-01`: a chart has no room for the keys */
function valuesOf(partition: string): string {
  return partition
    .split('/')
    .map((segment) => segment.slice(segment.indexOf('=') + 1))
    .join(' ');
}

/** Rows, mean scores and drift, partition by partition in the order of time. */
function trends(partitions: readonly ListedPartition[]): Html {
  const days = partitions.flatMap(({ day, visible }) => (visible === undefined ? [] : [day]));
  // The day alone would name several of them.
  const isShared = new Set(days).size < days.length;
  const visible = partitions.flatMap(({ partition, day, visible: judged, reference }) =>
    judged === undefined
      ? []
      : [{ name: (isShared ? undefined : day) ?? valuesOf(partition), judged, reference }],
  );
  if (visible.length === 0) return html`<p>Nothing is published.</p>`;
  const nameOf = (place: number) => visible[place]?.name ?? '';
  const common = { xName: 'partition, by time', formatX: nameOf, areXWhole: true };
  const drifts = SCORE_NAMES.map((score) => ({
    name: score,
    points: visible.flatMap(({ judged, reference }, place) =>
      reference === undefined
        ? []
        : [
            [
              place,
              populationStability(judged.scores[score].counts, reference.scores[score].counts),
            ] as const,
          ],
    ),
  }));
  return html`${lineChart({
    ...common,
    caption: 'Rows that readers find',
    yName: 'rows',
    yRange: { min: 0 },
    formatY: (rows) => shortCount(rows),
    series: [{ name: 'rows', points: visible.map(({ judged }, place) => [place, judged.rows] as const) }],
  })}
${lineChart({
  ...common,
  caption: 'Mean scores',
  yName: 'mean score',
  yRange: { min: 0 },
  formatY: (mean) => mean.toFixed(3),
  series: SCORE_NAMES.map((score) => ({
    name: score,
    points: visible.flatMap(({ judged }, place) => {
      const { mean } = judged.scores[score];
      return mean === null ? [] : [[place, mean] as const];
    }),
  })),
})}
${
  drifts.some(({ points }) => points.length > 0) &&
  lineChart({
    ...common,
    caption:
      "Drift: how far the scores' spread is from that of the model's validation rows (PSI; below .1 stable, above .25 shifted)",
    yName: 'PSI',
    yRange: { min: 0 },
    formatY: (psi) => psi.toFixed(3),
    series: drifts,
  })
}`;
}

function partitionTable({ partitions, missingDays = [], linkOf }: PartitionsPage): Html {
  const rows = partitions.map(
    ({ partition, stage, reason, pointer, flippedMillis, verdicts, visible, reference, lastFailure }) => {
      const link = linkOf(partition);
      const psi =
        visible === undefined || reference === undefined
          ? null
          : Math.max(
              ...SCORE_NAMES.map((score) =>
                populationStability(visible.scores[score].counts, reference.scores[score].counts),
              ),
            );
      return [
        link === undefined ? partition : html`<a href="${link}">${partition}</a>`,
        badge(TONES[stage], stage),
        pointer === null ? '—' : pointer.current.model.version,
        countText(pointer?.current.rows),
        pointer === null ? '—' : pointer.generation,
        flippedMillis === undefined ? '—' : timeText(flippedMillis),
        pointer === null ? '—' : countVerdicts(verdicts),
        decimalText(psi, 3),
        [
          reason,
          pointer === null ? undefined : describeMissingInput(pointer.current),
          lastFailure && describeFailure(lastFailure),
        ]
          .filter((text) => text !== undefined)
          .join('; ') || '—',
      ];
    },
  );
  return dataTable({
    caption: 'Every partition, by time; PSI is the largest of the three scores',
    columns: [
      ...[{ title: 'partition' }, { title: 'state' }, { title: 'model' }],
      ...[
        { title: 'rows', kind: 'number' as const },
        { title: 'generation', kind: 'number' as const },
      ],
      ...[{ title: 'last flip' }, { title: 'gates' }, { title: 'PSI', kind: 'number' as const }],
      { title: 'why', kind: 'long' },
    ],
    rows: [
      ...rows,
      ...missingDays.map((day) => [
        day,
        badge('bad', 'missing'),
        '—',
        '—',
        '—',
        '—',
        '—',
        '—',
        'no partition',
      ]),
    ],
  });
}
