import { Ncs4cvrError } from '../base/errors.ts';
import { type PerTask, TASKS, type Task } from '../base/tasks.ts';
import { type FunnelReport, funnelReport } from '../metrics/funnelMetrics.ts';
import type { Predictions } from './forwardPass.ts';
import { countClasses } from './taskLabels.ts';
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

const SCORE_OF = { click: 'pctr', conversion: 'pcvr' } as const;

/**
 * A step's loss is that of the weights before it: what the step itself has made of them shows here first.
 * @param step from 1
 * @throws Ncs4cvrError TRAINING_DIVERGED
 */
export function refuseLostScores(predictions: Predictions, step: number): void {
  for (const task of TASKS) {
    const lost = predictions[SCORE_OF[task]].find((score) => !Number.isFinite(score));
    if (lost === undefined) continue;
    throw new Ncs4cvrError('TRAINING_DIVERGED', `the ${task} scores are lost behind step ${step}`, {
      expected: 'finite scores; smaller learning rates may help',
      found: String(lost),
    });
  }
}

/** Mean AUC of the tasks; one without both classes among the validation rows doesn't count, at least one has them. */
export function selectionScore(metrics: FunnelReport, tasks: readonly Task[]): number {
  const aucs = tasks.map((task) => metrics[task].auc).filter((auc) => auc !== null);
  return aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length;
}

/**
 * Without an AUC that depends on the scores the first checkpoint would be kept, hardly trained, without a word.
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES
 */
export function refuseUnmeasurable(set: TrainingSet, tasks: readonly Task[]): void {
  if (tasks.some((task) => countClasses(set, task).differ)) return;
  throw new Ncs4cvrError('TRAINING_NO_POSITIVES', 'no checkpoint can be chosen on the validation rows', {
    expected: `both classes of ${tasks.join(' or ')}, or soft labels that differ, among them`,
    found: `${countClasses(set, 'click').rows} rows, ${countClasses(set, 'conversion').rows} clicks`,
  });
}
