import { sumOf } from '../base/sumOf.ts';
import { estimateRun } from '../estimate/estimateRun.ts';
import type { Prices } from '../estimate/readPrices.ts';
import { NOT_COUNTED, unitCost } from '../estimate/unitCost.ts';
import { dataTable, folded } from '../page/dataTable.ts';
import { countText, dollarsText, secondsText, timeText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { type Fact, factList } from '../page/renderPage.ts';
import type { RecordedPartition, RunRecord } from '../publish/runRecord.ts';
import type { MappedUnit } from './mapResults.ts';
import type { PlanOfUnits } from './planOfUnits.ts';
import { type WaterfallBar, waterfallChart } from './waterfallChart.ts';

const MIB_PER_GIB = 1024;

/** When a run on one machine did what, beside what was planned. @param partitions of the run that the page is of */
export function runSection(run: RunRecord, partitions: readonly RecordedPartition[]): Html {
  const { estimate, workers } = run;
  const steps = partitions.flatMap((partition) => partition.steps);
  const scored = steps.filter(({ state }) => state === 'scored');
  const rows = sumOf(scored, (step) => step.rows);
  const [start, end] = [
    Math.min(...partitions.map(({ startSeconds }) => startSeconds)),
    Math.max(...partitions.map((each) => each.startSeconds + each.seconds)),
  ];
  const seconds = end - start;
  const plannedRows = sumOf(partitions, (each) => each.rows - each.rowsDone);
  const facts: Fact[] = [
    { name: 'began', value: timeText(Date.parse(run.startedAt) + 1000 * start) },
    { name: 'took', value: secondsText(seconds), detail: `${workers} scoring threads, on one machine` },
    {
      name: 'rows scored',
      value: countText(rows),
      detail: `${countText(plannedRows)} planned, ${countText(sumOf(partitions, (each) => each.rowsDone))} done before`,
    },
    { name: 'rows per second', value: seconds === 0 ? '—' : countText(rows / seconds) },
  ];
  return html`${factList(facts)}
${dataTable({
  caption: 'Planned and actual',
  columns: [{ title: 'what' }, { title: 'planned', kind: 'number' }, { title: 'actual', kind: 'number' }],
  rows: [
    ['rows to score', countText(plannedRows), countText(rows)],
    [
      'parts to score',
      countText(sumOf(partitions, (each) => each.parts - each.partsDone)),
      countText(scored.length),
    ],
    ...(estimate === null
      ? []
      : [
          [
            'time of the whole run (planned: by the state machine)',
            secondsText(60 * estimate.minutes),
            secondsText(run.seconds),
          ],
          [
            'cost of the whole run (planned: by the state machine)',
            dollarsText(estimate.dollars),
            'this machine alone',
          ],
        ]),
  ],
})}
${waterfallChart(
  'What ran when; pieces that ran at the same time stand below each other.',
  partitions.flatMap((each) => barsOf(each, start)),
)}`;
}

function barsOf(
  { partition, startSeconds, seconds, outcome, steps }: RecordedPartition,
  start: number,
): WaterfallBar[] {
  const bars = steps.map(({ partId, rows, state, ...step }): WaterfallBar => {
    const name = `${partition}, part ${partId.slice(0, 8)}`;
    return { name, rows, state, startSeconds: step.startSeconds - start, seconds: step.seconds };
  });
  const begun = Math.max(startSeconds, ...steps.map((step) => step.startSeconds + step.seconds));
  return [
    ...bars,
    {
      name: `${partition}: ${outcome}`,
      rows: null,
      startSeconds: begun - start,
      seconds: startSeconds + seconds - begun,
      state: outcome === 'failed' ? 'failed' : 'published',
    },
  ];
}

/** When the units of the state machine's last run began and ended, and what their time has cost, beside what was planned. */
export function unitSection(
  units: readonly MappedUnit[],
  planned: PlanOfUnits | undefined,
  prices: Prices,
): Html {
  const start = Math.min(...units.map(({ startMillis }) => startMillis));
  const end = Math.max(...units.map(({ endMillis }) => endMillis));
  const unitSeconds = sumOf(units, ({ startMillis, endMillis }) => (endMillis - startMillis) / 1000);
  const scored = units.filter(({ isFailed }) => !isFailed);
  const rows = sumOf(scored, (unit) => unit.rows);
  const cost = unitCost(
    units.map(({ usage }) => usage),
    prices,
  );
  const ofPrices = `${prices.region}, prices of ${prices.date}`;
  const compute: Fact =
    cost.counted > 0
      ? {
          name: 'cost, by the functions\u2019 clocks',
          value: dollarsText(cost.dollars),
          detail: `${countText(cost.gigabyteSeconds)} GB-s in ${cost.calls} calls of ${cost.counted} of ${cost.units} units; ${ofPrices}; ${NOT_COUNTED}`,
        }
      : {
          name: 'compute, at most',
          value: dollarsText(
            unitSeconds * (prices.memoryMegabytes / MIB_PER_GIB) * prices.dollarsPerGigabyteSecond,
          ),
          detail: `${countText(unitSeconds)} s at ${prices.memoryMegabytes} MB, pauses among them; ${ofPrices}`,
        };
  return html`${factList([
    { name: 'began', value: timeText(start) },
    {
      name: 'took',
      value: secondsText((end - start) / 1000),
      detail: `${units.length} units of the state machine`,
    },
    { name: 'rows of these units', value: countText(rows) },
    compute,
  ])}
${unitTable(units, scored, planned, prices, { seconds: (end - start) / 1000, dollars: cost.counted > 0 ? cost.dollars : null })}
${waterfallChart(
  'Units of the state machine; those that ran at the same time stand below each other.',
  units.map(({ name, rows: of, startMillis, endMillis, isFailed }) => ({
    name: `unit ${name}`,
    rows: of,
    startSeconds: (startMillis - start) / 1000,
    seconds: (endMillis - startMillis) / 1000,
    state: isFailed ? 'failed' : 'scored',
  })),
)}`;
}

/**
 * What units were to take by the estimate that `plan` makes, of the partition alone and at the report's prices.
 * @param actual `dollars` are null where no unit has said what it took
 */
function unitTable(
  units: readonly MappedUnit[],
  scored: readonly MappedUnit[],
  planned: PlanOfUnits | undefined,
  prices: Prices,
  actual: { readonly seconds: number; readonly dollars: number | null },
): Html {
  const estimate = planned && estimateRun(planned.plan, planned.bundleGets, prices);
  const rowsOf = (some: readonly MappedUnit[]) => countText(sumOf(some, (unit) => unit.rows));
  const partsOf = (some: readonly MappedUnit[]) => countText(sumOf(some, ({ partIds }) => partIds.length));
  return html`${dataTable({
    caption: 'Planned and actual, of the units of the state machine',
    columns: [{ title: 'what' }, { title: 'planned', kind: 'number' }, { title: 'actual', kind: 'number' }],
    rows: [
      ['rows to score', rowsOf(units), rowsOf(scored)],
      ['parts to score', partsOf(units), partsOf(scored)],
      [
        'time of the units, from the first start to the last end',
        estimate === undefined ? '—' : secondsText(60 * estimate.minutes - prices.secondsPerRun),
        secondsText(actual.seconds),
      ],
      [
        'cost (planned: with requests, planner and publisher)',
        estimate === undefined ? '—' : dollarsText(estimate.dollars),
        actual.dollars === null ? '—' : dollarsText(actual.dollars),
      ],
    ],
  })}
${estimate === undefined && html`<p class="note">What this run was to take can't be told any more: its settings, its bundle or the spans of a part are gone, or can't be read.</p>`}`;
}

/** What didn't go well, of every run that is recorded, the last one first. */
export function failureTable(
  runs: readonly RunRecord[],
  units: readonly MappedUnit[],
  isOfPage: (partition: string) => boolean,
): Html {
  const rows = runs.flatMap(({ startedAt, partitions }) =>
    partitions
      .filter(({ partition }) => isOfPage(partition))
      .flatMap(({ partition, outcome, problems, steps }) => [
        ...steps
          .filter(({ problem }) => problem !== null)
          .map(({ partId, state, problem }) => [
            timeText(Date.parse(startedAt)),
            `${partition}, part ${partId.slice(0, 8)}`,
            state,
            problem!,
          ]),
        ...problems.map((problem) => [timeText(Date.parse(startedAt)), partition, outcome, problem]),
      ]),
  );
  const failed = units
    .filter(({ isFailed }) => isFailed)
    .map(({ name, startMillis, problem }) => [
      timeText(startMillis),
      `unit ${name}`,
      'failed',
      problem ?? '—',
    ]);
  const all = [...rows, ...failed];
  if (all.length === 0)
    return html`<p>Nothing failed, was dropped, refused or blocked in the runs that are recorded.</p>`;
  return dataTable({
    caption: 'Failures and retries',
    columns: [{ title: 'run' }, { title: 'what' }, { title: 'became' }, { title: 'why', kind: 'long' }],
    rows: all,
  });
}

/** The runs that are recorded of a partition, the last one first. */
export function runTable(partition: string, runs: readonly RunRecord[]): Html {
  return folded(
    `Recorded runs of ${partition} on one machine (${runs.length})`,
    dataTable({
      caption: 'Runs, the last one first',
      columns: [
        ...[{ title: 'began' }, { title: 'outcome' }, { title: 'model' }],
        ...['took', 'parts scored', 'attempts'].map((title) => ({ title, kind: 'number' as const })),
      ],
      rows: runs.map(({ startedAt, model, partitions }) => {
        const { outcome, seconds, steps } = partitions.find((each) => each.partition === partition)!;
        const scored = steps.filter(({ state }) => state === 'scored').length;
        return [
          timeText(Date.parse(startedAt)),
          outcome,
          model.version,
          secondsText(seconds),
          scored,
          steps.length,
        ];
      }),
    }),
  );
}
