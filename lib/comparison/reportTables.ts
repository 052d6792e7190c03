import { escapeHtml, htmlTable } from '../base/htmlPage.ts';
import {
  type ArmSummary,
  type ComparisonDocument,
  type LayerConnections,
  METRIC_NAMES,
  type MetricName,
  PAIRED_METRIC_NAMES,
} from './comparisonDocument.ts';

/** Mean and standard deviation of every metric, and what an arm costs. */
export function metricTable({ arms, reference }: ComparisonDocument): string {
  const best = new Map(METRIC_NAMES.map((metric) => [metric, bestMean(arms, metric)]));
  const header = [
    'arm',
    ...METRIC_NAMES,
    'validation score',
    'parameters',
    'embedding parameters',
    'multiply-adds per row',
    'training seconds',
  ];
  const rows = Object.entries(arms).map(([name, arm]) => [
    `<span title="${escapeHtml(arm.description)}">${escapeHtml(name)}${name === reference ? ' (reference)' : ''}</span>`,
    ...METRIC_NAMES.map((metric) => {
      const { mean, sd } = arm.metrics[metric];
      const text = `${format(mean)}${sd === null ? '' : ` ± ${format(sd)}`}`;
      return mean !== null && mean === best.get(metric) ? `<b>${text}</b>` : text;
    }),
    format(arm.runs.reduce((sum, run) => sum + run.validationScore, 0) / arm.runs.length),
    ...[arm.parameters, arm.embeddingParameters, arm.multiplyAddsPerRow].map((count) =>
      count.toLocaleString('en'),
    ),
    arm.trainingSeconds.toFixed(1),
  ]);
  return htmlTable(header, rows);
}

/** What each arm is. */
export function armTable({ arms }: ComparisonDocument): string {
  const rows = Object.entries(arms).map(([name, arm]) => [escapeHtml(name), escapeHtml(arm.description)]);
  return htmlTable(['arm', 'what it is'], rows);
}

/** Differences from the reference with their intervals, and how many seeds agree in sign. */
export function pairedTable({ paired }: ComparisonDocument): string {
  const rows = Object.entries(paired).map(([name, differences]) => [
    escapeHtml(name),
    ...PAIRED_METRIC_NAMES.flatMap((metric) => {
      const { mean, low, high, values } = differences[metric];
      const above = values.filter((value) => value > 0).length;
      return [`${signed(mean)} [${signed(low)}, ${signed(high)}]`, `${above} of ${values.length}`];
    }),
  ]);
  const header = ['arm', ...PAIRED_METRIC_NAMES.flatMap((metric) => [metric, 'seeds above 0'])];
  return htmlTable(header, rows);
}

/** Connections by use, and the masks' overlap beside what explains it without any relation of the tasks. */
export function connectionTable(layers: readonly LayerConnections[]): string {
  return htmlTable(
    ['layer', 'shared', 'CTR only', 'CVR only', 'dead', 'Jaccard', 'by chance', 'unrelated task'],
    layers.map((layer) => [
      `${layer.layer} (${layer.inputWidth} x ${layer.outputWidth})`,
      ...[layer.shared, layer.clickOnly, layer.conversionOnly, layer.dead].map((count) =>
        Math.round(count).toLocaleString('en'),
      ),
      ...[layer.jaccard, layer.chanceJaccard, layer.unrelatedJaccard].map((value) =>
        value === null ? '—' : value.toFixed(3),
      ),
    ]),
  );
}

/** Log losses and calibrations have no single best direction in one table: only AUCs are marked. */
function bestMean(arms: Readonly<Record<string, ArmSummary>>, metric: MetricName): number | null {
  if (!/auc$/.test(metric)) return null;
  const means = Object.values(arms).map((arm) => arm.metrics[metric].mean ?? Number.NEGATIVE_INFINITY);
  return Math.max(...means);
}

function format(value: number | null): string {
  return value === null ? '—' : value.toFixed(4);
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}
