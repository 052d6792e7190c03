import { ProblemsError } from '../base/errors.ts';
import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import { funnelReport } from '../metrics/funnelMetrics.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import type { FunnelLabels } from '../training/taskLabels.ts';

/** Largest change of a task's AUC: a tenth of what two seeds of one training differ by. */
const MAX_AUC_CHANGE = 0.0005;
/** Largest relative change of a task's mean score, over all rows. */
const MAX_MEAN_CHANGE = 0.005;

/** What one task's scores of the validation rows were before and after. */
interface TaskAccuracy {
  /** null where the labels are all the same or unknown. */
  readonly auc: { readonly before: number | null; readonly after: number | null };
  /** Over all rows, for scores are published for all. */
  readonly mean: { readonly before: number; readonly after: number };
  readonly largestChange: number;
}

export type Accuracy = PerTask<TaskAccuracy>;

/** @throws Ncs4cvrError METRIC_SCORE_INVALID for scores outside [0, 1] */
export function compareAccuracy(labels: FunnelLabels, before: TaskScores, after: TaskScores): Accuracy {
  const { click, conversion } = labels;
  const reports = {
    before: funnelReport({ click, conversion, ...before }),
    after: funnelReport({ click, conversion, ...after }),
  };
  return perTask((task) => {
    const [was, is] = [scoresOf(before, task), scoresOf(after, task)];
    return {
      auc: { before: reports.before[task].auc, after: reports.after[task].auc },
      mean: { before: meanScore(was), after: meanScore(is) },
      largestChange: was.reduce((largest, score, row) => Math.max(largest, Math.abs(score - is[row]!)), 0),
    };
  });
}

/**
 * @param file the bundle that was exported
 * @throws ProblemsError EXPORT_ACCURACY with the numbers
 */
export function refuseInaccurate(accuracy: Accuracy, file: string): void {
  const problems = TASKS.flatMap((task) => {
    const { auc, mean } = accuracy[task];
    const change = auc.before === null || auc.after === null ? 0 : auc.after - auc.before;
    const shift = mean.after / mean.before - 1;
    return [
      ...(Math.abs(change) <= MAX_AUC_CHANGE
        ? []
        : [
            `${task}: AUC ${auc.before!.toFixed(5)} becomes ${auc.after!.toFixed(5)}, may differ by ${MAX_AUC_CHANGE}`,
          ]),
      ...(Math.abs(shift) <= MAX_MEAN_CHANGE
        ? []
        : [
            `${task}: mean score ${mean.before.toPrecision(5)} becomes ${mean.after.toPrecision(5)}, ` +
              `${(100 * shift).toFixed(2)}%, may differ by ${100 * MAX_MEAN_CHANGE}%`,
          ]),
    ];
  });
  if (problems.length === 0) return;
  throw new ProblemsError(
    'EXPORT_ACCURACY',
    'the smaller model scores the validation rows otherwise',
    problems,
    {
      file,
    },
  );
}

function scoresOf({ pctr, pcvr }: TaskScores, task: Task): Float32Array {
  return task === 'click' ? pctr : pcvr;
}

function meanScore(scores: Float32Array): number {
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
