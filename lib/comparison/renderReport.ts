import { meanOf } from '../base/sumOf.ts';
import { countText } from '../page/formatNumbers.ts';
import { html } from '../page/html.ts';
import { renderPage } from '../page/renderPage.ts';
import {
  type ArmSummary,
  type ComparisonDocument,
  type LayerConnections,
  PAIRED_METRIC_NAMES,
} from './comparisonDocument.ts';
import { connectionChart, curveChart, pairedChart } from './reportCharts.ts';
import { armTable, connectionTable, metricTable, pairedTable } from './reportTables.ts';

/** The comparison as one HTML page without scripts: charts are inline SVG, nothing is fetched. */
export function renderReport(document: ComparisonDocument): string {
  const { data, trainSplit, validationSplit, reportSplit, reportRows, reportClicks, conversionLabel, seeds } =
    document;
  const masked = Object.entries(document.arms).flatMap(([name, arm]) => {
    const layers = meanConnections(arm);
    return layers.length === 0 ? [] : [{ name, layers }];
  });
  return renderPage({
    title: `comparison on ${data}`,
    heading: 'Which connections to share',
    lead: html`<p>Data ${data}. Trained on ${trainSplit}, chosen on ${validationSplit}, reported on
${reportSplit}: ${countText(reportRows)} impressions, ${countText(reportClicks)} clicks.
The conversion is <code>${conversionLabel}</code>, measured on clicked rows. Seeds: ${seeds.join(', ')}.</p>`,
    sections: [
      {
        title: 'Metrics',
        body: html`<p>Mean ± standard deviation over the seeds. All arms saw the same rows in the same batches under the same
stopping rule. Conversion metrics are of clicked rows; calibration is predicted over observed. The best AUC is bold; a
difference smaller than the standard deviation is not worth a decision.</p>
${metricTable(document)}
${armTable(document)}`,
      },
      {
        title: 'Differences from the reference',
        body: html`<p>Reference minus arm, on the same rows and seeds, with 95% intervals of a bootstrap over ${document.bootstrapUnit} and seeds. An
interval that includes 0 shows no difference.</p>
${pairedTable(document)}
${PAIRED_METRIC_NAMES.map((metric) => pairedChart(document, metric))}`,
      },
      {
        title: 'Learning curves',
        body: html`<p>AUC on the validation rows, mean over the seeds that got as far.</p>
${curveChart(document, 'clickAuc', 'Click AUC on the validation rows by optimiser step.')}
${curveChart(document, 'conversionAuc', 'Conversion AUC on clicked validation rows by optimiser step.')}`,
      },
      {
        title: 'Connections',
        body: html`<p>Mean over the seeds. Overlap is mostly explained by the common initial weights: compare the Jaccard index
with the column of an unrelated task (conversions dealt out at random) and not with 0.</p>
${masked.map(({ name, layers }) => html`<h3>${name}</h3>\n${connectionChart(name, layers)}\n${connectionTable(name, layers)}`)}`,
      },
    ],
  });
}

/** Per layer the mean over the runs; none for an arm without masks. */
function meanConnections({ runs }: ArmSummary): LayerConnections[] {
  const all = runs.flatMap(({ connections }) => (connections === undefined ? [] : [connections]));
  return (all[0] ?? []).map((first, index) => {
    const layers = all.map((connections) => connections[index]!);
    return {
      ...first,
      shared: meanOf(layers, (layer) => layer.shared),
      clickOnly: meanOf(layers, (layer) => layer.clickOnly),
      conversionOnly: meanOf(layers, (layer) => layer.conversionOnly),
      dead: meanOf(layers, (layer) => layer.dead),
      jaccard: meanOf(layers, (layer) => layer.jaccard),
      chanceJaccard: meanOf(layers, (layer) => layer.chanceJaccard),
      unrelatedJaccard:
        first.unrelatedJaccard === null ? null : meanOf(layers, (layer) => layer.unrelatedJaccard ?? 0),
    };
  });
}
