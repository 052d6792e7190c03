import { dataTable, type TableColumn } from '../page/dataTable.ts';
import { countText, decimalText, signedText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import {
  type ArmSummary,
  type ComparisonDocument,
  type LayerConnections,
  METRIC_NAMES,
  type MetricName,
  PAIRED_METRIC_NAMES,
} from './comparisonDocument.ts';

const numbers = (titles: readonly string[]): TableColumn[] =>
  titles.map((title) => ({ title, kind: 'number' }));

/** Mean and standard deviation of every metric. */
export function metricTable({ arms, reference }: ComparisonDocument): Html {
  const best = new Map(METRIC_NAMES.map((metric) => [metric, bestMean(arms, metric)]));
  return dataTable({
    caption: 'Metrics of every arm on the report rows',
    columns: [{ title: 'arm' }, ...numbers([...METRIC_NAMES, 'validation score'])],
    rows: Object.entries(arms).map(([name, arm]) => [
      `${name}${name === reference ? ' (reference)' : ''}`,
      ...METRIC_NAMES.map((metric) => {
        const { mean, sd } = arm.metrics[metric];
        // The two may stand on two lines.
        const text = html`${decimalText(mean)}${sd !== null && html` <span class="break">± ${decimalText(sd)}</span>`}`;
        return mean !== null && mean === best.get(metric) ? html`<b>${text}</b>` : text;
      }),
      decimalText(arm.runs.reduce((sum, run) => sum + run.validationScore, 0) / arm.runs.length),
    ]),
  });
}

/** What each arm is, and what it costs. */
export function armTable({ arms }: ComparisonDocument): Html {
  return dataTable({
    caption: 'What each arm is, and what it costs',
    columns: [
      { title: 'arm' },
      { title: 'what it is', kind: 'long' },
      ...numbers(['parameters', 'embedding parameters', 'multiply-adds per row', 'training seconds']),
    ],
    rows: Object.entries(arms).map(([name, arm]) => [
      name,
      arm.description,
      ...[arm.parameters, arm.embeddingParameters, arm.multiplyAddsPerRow].map(countText),
      arm.trainingSeconds.toFixed(1),
    ]),
  });
}

/** Differences from the reference with their intervals, and how many seeds agree in sign. */
export function pairedTable({ paired }: ComparisonDocument): Html {
  return dataTable({
    caption: 'Reference minus arm, with 95% intervals',
    columns: [
      { title: 'arm' },
      ...PAIRED_METRIC_NAMES.flatMap((metric) => numbers([metric, 'seeds above 0'])),
    ],
    rows: Object.entries(paired).map(([name, differences]) => [
      name,
      ...PAIRED_METRIC_NAMES.flatMap((metric) => {
        const { mean, low, high, values } = differences[metric];
        const above = values.filter((value) => value > 0).length;
        return [
          html`${signedText(mean)} <span class="break">[${signedText(low)}, ${signedText(high)}]</span>`,
          `${above} of ${values.length}`,
        ];
      }),
    ]),
  });
}

/** Connections by use, and the masks' overlap beside what explains it without any relation of the tasks. */
export function connectionTable(arm: string, layers: readonly LayerConnections[]): Html {
  return dataTable({
    caption: `Connections of ${arm}, by layer`,
    columns: [
      { title: 'layer' },
      ...numbers([
        ...['shared', 'click only', 'conversion only', 'dead'],
        ...['Jaccard', 'by chance', 'unrelated task'],
      ]),
    ],
    rows: layers.map((layer) => [
      `${layer.layer} (${layer.inputWidth} x ${layer.outputWidth})`,
      ...[layer.shared, layer.clickOnly, layer.conversionOnly, layer.dead].map(countText),
      ...[layer.jaccard, layer.chanceJaccard, layer.unrelatedJaccard].map((value) => decimalText(value, 3)),
    ]),
  });
}

/** Log losses and calibrations have no single best direction in one table: only AUCs are marked. */
function bestMean(arms: Readonly<Record<string, ArmSummary>>, metric: MetricName): number | null {
  if (!/auc$/.test(metric)) return null;
  const means = Object.values(arms).map((arm) => arm.metrics[metric].mean ?? Number.NEGATIVE_INFINITY);
  return Math.max(...means);
}
