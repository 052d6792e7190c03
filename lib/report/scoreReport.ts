import { messageOf } from '../base/errors.ts';
import { counted } from '../base/formatCount.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { dataTable } from '../page/dataTable.ts';
import { bytesText, countText, secondsText, timeText } from '../page/formatNumbers.ts';
import { html } from '../page/html.ts';
import { lineChart } from '../page/lineChart.ts';
import { factList, renderPage } from '../page/renderPage.ts';
import type { ScoringReport } from '../scoring/scoreInput.ts';
import { featureSection } from './featureSection.ts';
import { type WaterfallBar, waterfallChart } from './waterfallChart.ts';

/** Of shards in the chart of rows by time: more lie within a pixel. */
const MOST_STEPS = 400;

/** A call of `score`: what it has scored into files, when, and what it couldn't. */
export interface ScoredFiles {
  readonly report: ScoringReport;
  readonly bundle: Pick<ModelBundle, 'uri' | 'manifest' | 'reference'>;
  readonly workers: number;
  /** When it began, milliseconds since 1970. */
  readonly startMillis: number;
  /** Rows that went through the model so far, by the seconds since then. */
  readonly progress: readonly (readonly [seconds: number, rows: number])[];
}

export function scoreReport({ report, bundle, workers, startMillis, progress }: ScoredFiles): string {
  const { rows, seconds, shards, failures, notStarted, ignored, profile } = report;
  const number = { kind: 'number' } as const;
  return renderPage({
    title: 'scored files',
    heading: `${counted(rows, 'row')} in ${counted(shards.length, 'shard')}`,
    lead: html`<p>Scored by model <code>${bundle.manifest.modelVersion}</code> of <code>${bundle.uri}</code> into files; nothing was published.</p>`,
    sections: [
      {
        title: 'What ran when',
        body: html`${factList([
          { name: 'began', value: timeText(startMillis) },
          { name: 'took', value: secondsText(seconds), detail: `${workers} scoring threads` },
          { name: 'rows per second', value: countText(rows / seconds) },
          {
            name: 'predictions',
            value: bytesText(shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
          },
          {
            name: 'failed shards',
            value: countText(failures.length),
            detail: `${notStarted.length} not started`,
          },
          { name: 'other files', value: countText(ignored.length), detail: 'no Parquet shards, left out' },
        ])}
${lineChart({
  caption: 'Rows scored by the time since the call began',
  xName: 'seconds',
  yName: 'rows',
  yRange: { min: 0 },
  formatX: (at) => at.toFixed(1),
  formatY: (count) => countText(count),
  series: [{ name: 'rows', points: rowsByTime(report, progress) }],
})}
${
  // One bar says no more than the time that the call took.
  report.times.length > 1 &&
  waterfallChart(
    'What ran when; shards that were scored at the same time stand below each other.',
    barsOf(report),
    'seconds since the call began',
  )
}`,
      },
      {
        title: 'Failures',
        body: html`${dataTable({
          caption: 'Shards that could not be scored, and why',
          columns: [{ title: 'shard' }, { title: 'why', kind: 'long' }],
          rows: failures.map(({ inputUri, error }) => [inputUri, messageOf(error)]),
        })}
${notStarted.length > 0 && html`<p>Not started, since the disk was full: ${notStarted.join(', ')}</p>`}`,
      },
      { title: 'Features', body: featureSection(profile, bundle.reference) },
      {
        title: 'Shards',
        body: dataTable({
          caption: 'Every shard that was scored',
          columns: [
            { title: 'shard' },
            { title: 'file' },
            { title: 'rows', ...number },
            { title: 'size of the file', ...number },
          ],
          rows: shards.map(({ inputUri, outputUri, rowCount, sizeBytes }) => [
            inputUri,
            outputUri,
            countText(rowCount),
            bytesText(sizeBytes),
          ]),
        }),
      },
    ],
  });
}

/**
 * Rows by time that are in the files in the end. Progress counts those of a shard that fails later, too: beside failures the
 * chart steps where shards were done.
 */
function rowsByTime(
  { rows, seconds, shards, failures, times }: ScoringReport,
  progress: ScoredFiles['progress'],
): (readonly [seconds: number, rows: number])[] {
  const last = [seconds, rows] as const;
  if (failures.length === 0) return [[0, 0], ...progress, last];
  const rowsOf = new Map(shards.map(({ inputUri, rowCount }) => [inputUri, rowCount]));
  const done: (readonly [number, number])[] = [];
  let rowsSoFar = 0;
  for (const time of times) {
    const ended = rowsOf.get(time.inputUri);
    if (ended === undefined) continue;
    rowsSoFar += ended;
    done.push([time.startSeconds + time.seconds, rowsSoFar]);
  }
  const every = Math.ceil(done.length / MOST_STEPS);
  return [[0, 0], ...done.filter((_, index) => (index + 1) % every === 0), last];
}

function barsOf({ times, shards }: ScoringReport): WaterfallBar[] {
  const rowsOf = new Map(shards.map(({ inputUri, rowCount }) => [inputUri, rowCount]));
  return times.map(({ inputUri, startSeconds, seconds }) => {
    const rows = rowsOf.get(inputUri);
    const state = rows === undefined ? 'failed' : 'scored';
    return { name: inputUri, rows: rows ?? null, startSeconds, seconds, state };
  });
}
