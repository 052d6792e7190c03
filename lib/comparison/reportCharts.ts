import { meanOf } from '../base/sumOf.ts';
import { COLOURS, seriesColour } from '../page/drawChart.ts';
import type { Html } from '../page/html.ts';
import { intervalChart } from '../page/intervalChart.ts';
import { lineChart } from '../page/lineChart.ts';
import { shareChart } from '../page/shareChart.ts';
import type {
  ArmSummary,
  ComparisonDocument,
  LayerConnections,
  LearningPoint,
  PairedMetricName,
} from './comparisonDocument.ts';

/** Dots with 95% intervals, one row per arm; right of 0 the reference is better. */
export function pairedChart({ paired, reference }: ComparisonDocument, metric: PairedMetricName): Html {
  return intervalChart({
    caption: `Differences in ${metric}: right of 0 the reference is better.`,
    xName: `${metric}: ${reference} minus arm`,
    rows: Object.entries(paired).map(([name, differences]) => ({ name, ...differences[metric] })),
    numbers: undefined,
  });
}

/** Validation AUC of one task by step, the mean over the seeds, one line per arm. */
export function curveChart(
  { arms }: ComparisonDocument,
  metric: 'clickAuc' | 'conversionAuc',
  caption: string,
): Html {
  return lineChart({
    caption,
    xName: 'optimiser steps',
    yName: 'AUC',
    formatY: (auc) => auc.toFixed(3),
    series: Object.entries(arms).map(([name, arm]) => ({ name, points: meanCurve(arm, metric) })),
  });
}

/** Mean over the runs that got as far as a step; a stopped run doesn't hold the others back. */
function meanCurve({ runs }: ArmSummary, metric: 'clickAuc' | 'conversionAuc'): [number, number][] {
  const bySteps = new Map<number, number[]>();
  for (const { curve } of runs) {
    for (const point of curve) add(bySteps, point, point[metric]);
  }
  return [...bySteps]
    .sort(([a], [b]) => a - b)
    .map(([step, values]) => [step, meanOf(values, (value) => value)]);
}

function add(bySteps: Map<number, number[]>, { step }: LearningPoint, value: number | null): void {
  if (value === null) return;
  bySteps.set(step, [...(bySteps.get(step) ?? []), value]);
}

/** How the connections of every layer are used, as shares of the layer. */
export function connectionChart(arm: string, layers: readonly LayerConnections[]): Html {
  return shareChart({
    caption: `Connections of ${arm} by use, as shares of each layer.`,
    kinds: [
      { name: 'shared', colour: seriesColour(0) },
      { name: 'click only', colour: seriesColour(1) },
      { name: 'conversion only', colour: seriesColour(2) },
      { name: 'dead', colour: COLOURS.none },
    ],
    rows: layers.map(({ layer, inputWidth, outputWidth, shared, clickOnly, conversionOnly, dead }) => ({
      name: `layer ${layer} (${inputWidth} x ${outputWidth})`,
      amounts: [shared, clickOnly, conversionOnly, dead],
    })),
    numbers: undefined,
  });
}
