/** The two tasks of the funnel, in the order of every output: P(click | impression), P(conversion | click). */
export const TASKS = ['click', 'conversion'] as const;
export type Task = (typeof TASKS)[number];

/** One value per task. */
export type PerTask<T> = Readonly<Record<Task, T>>;

export function perTask<T>(make: (task: Task) => T): PerTask<T> {
  return { click: make('click'), conversion: make('conversion') };
}

/** Stands in arrays of clicks, beside 0 and 1, for a click that nobody knows; an unknown conversion is NaN. */
export const UNKNOWN_CLICK = 255;

/** The three scores of a row, as the model's outputs and the columns of a prediction file are called. */
export const SCORE_NAMES = ['pctr', 'pcvr', 'pctcvr'] as const;
export type ScoreName = (typeof SCORE_NAMES)[number];
