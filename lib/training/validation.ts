import { Ncs4cvrError } from '../base/errors.ts';
import type { PerTask, Task } from '../base/tasks.ts';
import { type FunnelReport, funnelReport } from '../metrics/funnelMetrics.ts';
import type { Predictions } from './forwardPass.ts';
import type { TrainingSet } from './trainingSet.ts';

/** One look at the validation rows. */
export interface Validation {
  readonly epoch: number;
  /** Optimiser steps so far. */
  readonly step: number;
  /** Mean training loss of each task over its rows since the last validation. */
  readonly losses: PerTask<number>;
  readonly metrics: FunnelReport;
  /** Mean AUC of the tasks that are trained, by which the checkpoint is chosen. */
  readonly score: number;
}

/** All metrics of predictions on labelled rows. */
export function measure(predictions: Predictions, set: TrainingSet): FunnelReport {
  return funnelReport({ ...predictions, click: set.click, conversion: set.conversion });
}

/** Mean AUC of the tasks; one without both classes among the validation rows doesn't count, at least one has them. */
export function selectionScore(metrics: FunnelReport, tasks: readonly Task[]): number {
  const aucs = tasks.map((task) => metrics[task].auc).filter((auc) => auc !== null);
  return aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length;
}

/**
 * Without any AUC the first checkpoint would be kept, hardly trained, without a word.
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES
 */
export function refuseUnmeasurable(set: TrainingSet, tasks: readonly Task[]): void {
  const anyScores = new Float32Array(set.rowCount).fill(0.5);
  const metrics = measure({ pctr: anyScores, pcvr: anyScores }, set);
  if (tasks.some((task) => metrics[task].auc !== null)) return;
  throw new Ncs4cvrError('TRAINING_NO_POSITIVES', 'no checkpoint can be chosen on the validation rows', {
    expected: `both classes of ${tasks.join(' or ')} among them`,
    found: `${metrics.click.rows} rows, ${metrics.conversion.rows} clicks`,
  });
}
