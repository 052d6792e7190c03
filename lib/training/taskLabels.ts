import { type Task, UNKNOWN_CLICK } from '../base/tasks.ts';

/** Labels of some rows, both arrays of one length. */
export interface FunnelLabels {
  /** 0, 1 or UNKNOWN_CLICK for each row. */
  readonly click: Uint8Array;
  /** In [0, 1], or NaN where it is unknown; only meaningful where click is 1. */
  readonly conversion: Float32Array;
}

/** Was the row clicked, and is it known whether a conversion followed? */
export function hasConversionLabel({ click, conversion }: FunnelLabels, row: number): boolean {
  return click[row] === 1 && !Number.isNaN(conversion[row]!);
}

/** Ascending numbers of the rows that a task is learned from and measured on; the task's label is `labels[task]` there. */
export function rowsOfTask(labels: FunnelLabels, task: Task): Int32Array {
  const { click } = labels;
  const isOfTask = (row: number) =>
    task === 'click' ? click[row] !== UNKNOWN_CLICK : hasConversionLabel(labels, row);
  return Int32Array.from(click.keys()).filter(isOfTask);
}

export interface ClassCounts {
  /** Rows that have a label of the task. */
  readonly rows: number;
  /** Sum of these labels. */
  readonly positives: number;
  /** Whether any label differs from another: no scores rank rows of one label, soft or not, better than others do. */
  readonly differ: boolean;
}

export function countClasses(labels: FunnelLabels, task: Task): ClassCounts {
  const rows = rowsOfTask(labels, task);
  const of = labels[task];
  return {
    rows: rows.length,
    positives: rows.reduce((sum, row) => sum + of[row]!, 0),
    differ: rows.some((row) => of[row] !== of[rows[0]!]),
  };
}
