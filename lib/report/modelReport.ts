import { TASKS, type Task } from '../base/tasks.ts';
import { type BundleManifest, trainedNetwork } from '../bundle/bundleManifest.ts';
import { labelText } from '../features/labelValues.ts';
import type { BinaryReport, FunnelReport } from '../metrics/funnelMetrics.ts';
import { dataTable } from '../page/dataTable.ts';
import { countText, decimalText, secondsText, shareText, signedText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { intervalChart } from '../page/intervalChart.ts';
import { lineChart } from '../page/lineChart.ts';
import { factList, type PageSection, renderPage } from '../page/renderPage.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import type { SplitSide } from '../recipe/splitSides.ts';
import { maskSection } from './maskSection.ts';
import type { ModelMeasures, ReliabilityBin } from './measureModel.ts';
import { scoreSection } from './scoreSection.ts';
import { type RecordedCurve, trainingRecord } from './trainingRecord.ts';

export interface ReportedModel {
  readonly uri: string;
  readonly manifest: BundleManifest;
  /** Undefined for a bundle that has none. */
  readonly reference: ModelReference | undefined;
  /** Undefined where nobody has named labelled data. */
  readonly measures: ModelMeasures | undefined;
}

/** A model as its bundle tells of its training, and as labelled rows tell of it where there are any. */
export function modelReport(model: ReportedModel): string {
  const { uri, manifest, reference, measures } = model;
  const { training, modelVersion, labels } = manifest;
  const isOwn = trainedNetwork(manifest) === undefined;
  const { curve, bestStep, map } = trainingRecord(manifest);
  const sections: PageSection[] = [
    { title: 'At a glance', body: glance(model) },
    ...(isOwn ? [] : [{ title: 'Learning curves', body: learningCurves(curve, bestStep) }]),
    ...(map === undefined ? [] : [{ title: 'Which connections are shared', body: maskSection(map) }]),
    ...(measures === undefined ? [] : measuredSections(measures)),
    { title: 'Features', body: featureTable(manifest, reference) },
    ...(reference === undefined
      ? []
      : [
          {
            title: 'Scores of the validation rows',
            body: scoreSection([{ name: 'validation rows', scores: reference.scores }], undefined),
          },
        ]),
    { title: isOwn ? 'Origin' : 'Training', body: trainingTable(manifest) },
  ];
  return renderPage({
    title: `model ${modelVersion}`,
    heading: `Model ${modelVersion}`,
    lead: html`<p>${
      isOwn
        ? html`Made elsewhere; described by ${training.validationSplit} of <code>${training.data}</code>`
        : html`Trained on ${training.trainSplit}, chosen on ${training.validationSplit} of <code>${training.data}</code>`
    }; ${labels === undefined ? 'no labels' : html`the\nconversion is <code>${labelText(labels.conversion)}</code>`}. Bundle <code>${uri}</code>.</p>
${measures === undefined && html`<p class="note">Importance, reliability and slices are measured on labelled rows: give <code>report --data</code>.</p>`}`,
    sections,
  });
}

function glance({ manifest, measures, reference }: ReportedModel): Html {
  const { training } = manifest;
  const best = trainingRecord(manifest).curve?.find(({ step }) => step === trainingRecord(manifest).bestStep);
  return html`${factList([
    ...(trainedNetwork(manifest) === undefined
      ? []
      : [{ name: 'training rows', value: countText(training.trainRows) }]),
    { name: 'validation rows', value: countText(training.validationRows) },
    ...(best === undefined
      ? []
      : [
          { name: 'click AUC, validation', value: decimalText(best.clickAuc) },
          {
            name: 'conversion AUC, validation',
            value: decimalText(best.conversionAuc),
            detail: 'of clicked rows',
          },
        ]),
    ...(reference?.rates === undefined
      ? []
      : [
          { name: 'clicks', value: shareText(reference.rates.click, 2), detail: 'of validation rows' },
          { name: 'conversions', value: shareText(reference.rates.conversion, 2), detail: 'of clicks' },
        ]),
    { name: 'network', value: manifest.network.kind },
    {
      name: trainedNetwork(manifest) === undefined ? 'bundled in' : 'trained in',
      value: secondsText(training.seconds),
      detail: training.finishedAt.slice(0, 16).replace('T', ' '),
    },
  ])}
${
  measures !== undefined &&
  html`<p>Measured on ${countText(measures.sampleRows)} of the ${countText(measures.dataRows)} rows of <code>${measures.data}</code>, taken at equal distances. ${howSeen(measures)}:</p>
${(measures.sides ?? [{ caption: 'Metrics on the labelled rows', metrics: measures.metrics }]).map((each) =>
  dataTable({
    caption: 'side' in each ? SIDE_CAPTIONS[each.side](each.days ?? '') : each.caption,
    columns: METRIC_COLUMNS,
    rows: metricRows(each.metrics),
  }),
)}`
}`;
}

const SIDE_CAPTIONS: Readonly<Record<SplitSide, (days: string) => string>> = {
  training: (days) => `Metrics on rows of the training days, ${days}: it was trained on them`,
  validation: (days) => `Metrics on rows of the validation days, ${days}: its checkpoint was chosen on them`,
  report: (days) => `Metrics on rows of the report days, ${days}: neither trained nor chosen on`,
  other: () => 'Metrics on rows of other days: neither trained nor chosen on',
};

function howSeen({ isChosenOn, sides }: ModelMeasures): Html | string {
  if (isChosenOn)
    return html`The checkpoint was chosen on these rows, which flatters the model a little; <code>report --data</code> measures on others`;
  const isSeen = sides?.some(({ side }) => side === 'training' || side === 'validation');
  if (sides === null) return 'Rows that it was trained on make it look better than it is on unseen ones';
  if (isSeen !== true) return 'Their days are none that it was trained or chosen on';
  return sides.length === 1
    ? 'Rows that it was trained or chosen on make it look better than it is on unseen ones'
    : 'Rows that it was trained or chosen on make it look better than it is on unseen ones, so that the days stand apart here; importance, reliability and slices below are of all of them together';
}

const NUMBER = { kind: 'number' } as const;
const METRIC_COLUMNS = [
  { title: 'label' },
  ...['rows', 'AUC', 'log loss', 'calibration', 'ECE'].map((title) => ({ title, ...NUMBER })),
];

function metricRows({ click, conversion, ctcvr }: FunnelReport): (string | number)[][] {
  const row = (name: string, { rows, auc, logLoss, calibration, ece }: BinaryReport) => [
    name,
    countText(rows),
    ...[auc, logLoss, calibration, ece].map((value) => decimalText(value)),
  ];
  return [row('click', click), row('conversion (clicked)', conversion), row('click and conversion', ctcvr)];
}

function learningCurves(curve: RecordedCurve | undefined, bestStep: number | undefined): Html {
  if (curve === undefined)
    return html`<p>An earlier version of ncs4cvr has trained this model and kept no curve.</p>`;
  const points = (of: (point: RecordedCurve[number]) => number | null) =>
    curve.flatMap((point) => {
      const value = of(point);
      return value === null ? [] : [[point.step, value] as const];
    });
  return html`<p>At every validation; the checkpoint of step ${bestStep ?? '—'} was kept.</p>
${lineChart({
  caption: 'AUC on the validation rows, of conversions on clicked ones',
  xName: 'optimiser steps',
  yName: 'AUC',
  formatY: (auc) => auc.toFixed(4),
  series: [
    { name: 'click', points: points(({ clickAuc }) => clickAuc) },
    { name: 'conversion', points: points(({ conversionAuc }) => conversionAuc) },
  ],
})}
${lineChart({
  caption: 'Mean training loss since the validation before',
  xName: 'optimiser steps',
  yName: 'loss (nats)',
  formatY: (loss) => loss.toFixed(4),
  series: [
    { name: 'click', points: points(({ losses }) => losses.click) },
    { name: 'conversion', points: points(({ losses }) => losses.conversion) },
  ],
})}`;
}

function measuredSections({ importance, reliability, slices }: ModelMeasures): PageSection[] {
  return [
    {
      title: 'Feature importance',
      body: html`<p>How much AUC is lost when one feature's values are dealt out to other rows, with the range of three such
deals. Features that say the same cover for each other: both look unimportant. A range that includes 0 shows nothing.</p>
${TASKS.map((task) => importanceChart(task, importance))}
${dataTable({
  caption: 'Loss of AUC by feature',
  columns: [
    { title: 'feature' },
    ...TASKS.flatMap((task) => [
      { title: `${task} AUC lost`, ...NUMBER },
      { title: `${task} range`, ...NUMBER },
    ]),
  ],
  rows: importance.map(({ feature, loss }) => [
    feature,
    ...TASKS.flatMap((task) => {
      const of = loss[task];
      return of === null
        ? ['—', '—']
        : [signedText(of.mean), `${signedText(of.low)} to ${signedText(of.high)}`];
    }),
  ]),
})}`,
    },
    {
      title: 'Reliability',
      body: html`<p>Rows by rising score, in groups of about equally many: a calibrated model is on the dashed line.</p>
${TASKS.map((task) => reliabilityChart(task, reliability[task]))}`,
    },
    {
      title: 'Slices',
      body: html`${slices.map(sliceTable)}${slices.length === 0 && html`<p>No categorical or bucketed feature has few enough values; the training config's <code>slices</code> can name one that has more.</p>`}`,
    },
  ];
}

/** Features in one chart; all of them are in the table. */
const MOST_CHARTED = 25;

function importanceChart(task: Task, importance: ModelMeasures['importance']): Html {
  const rows = importance
    .flatMap(({ feature, loss }) => (loss[task] === null ? [] : [{ name: feature, ...loss[task] }]))
    .sort((a, b) => b.mean - a.mean)
    .slice(0, MOST_CHARTED);
  if (rows.length === 0) return html`<p>The sample has one class of ${task}s only: nothing to measure.</p>`;
  return intervalChart({
    caption: `Loss of ${task} AUC by feature: the mean and the range of three deals${rows.length < importance.length ? `; the ${rows.length} largest` : ''}`,
    xName: `${task} AUC lost`,
    rows,
    numbers: undefined,
  });
}

function reliabilityChart(task: Task, bins: readonly ReliabilityBin[]): Html {
  if (bins.length === 0) return html`<p>The sample has no row with a known ${task}.</p>`;
  return lineChart({
    caption: `Reliability of the ${task} score: ${bins.length} groups of about ${countText(bins[0]!.rows)} rows`,
    xName: task === 'click' ? 'mean pctr' : 'mean pcvr',
    yName: `share of ${task}s`,
    formatX: (score) => score.toFixed(3),
    formatY: (share) => share.toFixed(3),
    hasDiagonal: true,
    yRange: { min: 0 },
    series: [
      { name: 'observed', points: bins.map(({ predicted, observed }) => [predicted, observed] as const) },
    ],
  });
}

function sliceTable({ feature, slices }: ModelMeasures['slices'][number]): Html {
  return html`<h3>By ${feature}</h3>
${dataTable({
  caption: `Metrics by ${feature}`,
  columns: [
    { title: feature },
    ...[
      ...['rows', 'click AUC', 'click calibration'],
      ...['clicks with a known conversion', 'conversion AUC', 'conversion calibration'],
    ].map((title) => ({ title, ...NUMBER })),
  ],
  rows: slices.map(({ value, metrics: { rows, click, conversion } }) => [
    value,
    countText(rows),
    ...[click.auc, click.calibration].map((each) => decimalText(each)),
    countText(conversion.rows),
    ...[conversion.auc, conversion.calibration].map((each) => decimalText(each)),
  ]),
})}`;
}

function featureTable({ training }: BundleManifest, reference: ModelReference | undefined): Html {
  const rows = training.trainRows + training.validationRows;
  const alone = new Map(training.leaks?.alone.map((each) => [each.feature, each.aucs]));
  const spread = new Map(reference?.features.map((feature) => [feature.name, feature.spread]));
  const share = (count: number, of: number) => shareText(of === 0 ? null : count / of, 2);
  return html`<p>Missing and unseen values over training and validation rows; AUC alone is what a feature tells of the labels by
itself, ${training.leaks === undefined ? 'where it was measured' : `and above ${training.leaks.bound} would be a leak`}.</p>
${dataTable({
  caption: 'Every feature',
  columns: [
    { title: 'feature' },
    ...['missing', 'unseen', 'click AUC alone', 'conversion AUC alone', 'largest PSI of a day'].map(
      (title) => ({ title, ...NUMBER }),
    ),
  ],
  rows: training.features.map(({ name, values, missing, unseen }) => {
    const aucs = alone.get(name);
    return [
      name,
      share(missing, rows),
      share(unseen, values),
      decimalText(aucs?.click),
      decimalText(aucs?.conversion),
      decimalText(spread.get(name)?.psi),
    ];
  }),
})}`;
}

function trainingTable({ training, network, contractFingerprint, files }: BundleManifest): Html {
  const labels = training.labels?.training;
  const notes = training.notes ?? [];
  return html`${dataTable({
    caption: 'Where the model comes from',
    columns: [{ title: 'what' }, { title: 'value', kind: 'long' }],
    rows: [
      ['code', training.codeVersion],
      ...(network.kind === 'own'
        ? [
            [
              'made by',
              `${network.producer}, ${network.file}, opset ${network.opset}, sha256 ${network.sha256}`,
            ],
          ]
        : [['seed', training.seed]]),
      ['contract', contractFingerprint],
      [
        'files',
        Object.entries(files)
          .map(([name, file]) => `${name} (${countText(file?.sizeBytes)} bytes)`)
          .join(', '),
      ],
      ...(labels === undefined
        ? []
        : [
            [
              'labels',
              `${countText(labels.clicks)} clicks, ${countText(labels.conversions)} conversions, ${countText(labels.unknownClicks)} unknown clicks, ${countText(labels.unknownConversions + labels.immatureConversions)} unknown conversions of clicks`,
            ],
          ]),
      ['notes', notes.length === 0 ? 'none' : notes.join('; ')],
    ],
  })}`;
}
