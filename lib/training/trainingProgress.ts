import { type PerTask, perTask, TASKS } from '../base/tasks.ts';
import type { TaskLoss } from './trainingStep.ts';
import type { Validation } from './validation.ts';

const PROGRESS_MILLIS = 1000;

export interface TrainingProgress {
  readonly epoch: number;
  readonly epochs: number;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly secondsLeft: number;
  readonly losses: PerTask<number>;
  /** While masks are learned: the run's weights are dropped afterwards. */
  readonly isLearningMasks?: boolean;
  /** Present right after a validation. */
  readonly validation?: Validation;
}

/** Counts rows and seconds of a training, over all the processes that worked on it. */
export class ProgressClock {
  readonly #startMillis: number;
  readonly #totalRows: number;
  #rows: number;
  #lastReportMillis = 0;

  /** @param earlier what was done before the training was stopped */
  constructor(totalRows: number, earlier: { readonly rows: number; readonly seconds: number }) {
    this.#startMillis = performance.now() - 1000 * earlier.seconds;
    this.#totalRows = totalRows;
    this.#rows = earlier.rows;
  }

  get seconds(): number {
    return (performance.now() - this.#startMillis) / 1000;
  }

  get rowsPerSecond(): number {
    return this.#rows / this.seconds;
  }

  advance(rows: number): void {
    this.#rows += rows;
  }

  isDue(): boolean {
    const now = performance.now();
    if (now - this.#lastReportMillis < PROGRESS_MILLIS) return false;
    this.#lastReportMillis = now;
    return true;
  }

  progress(epoch: number, epochs: number, losses: PerTask<number>): TrainingProgress {
    const secondsLeft = (this.#totalRows - this.#rows) / this.rowsPerSecond;
    return { epoch, epochs, rows: this.#rows, rowsPerSecond: this.rowsPerSecond, secondsLeft, losses };
  }
}

/** Mean over rows, not over steps: with few clicks, many steps have no conversion loss at all. */
export class LossMean {
  readonly #sums = { click: 0, conversion: 0 };
  readonly #rows = { click: 0, conversion: 0 };

  add(losses: PerTask<TaskLoss>): void {
    for (const task of TASKS) {
      const { mean, rows } = losses[task];
      this.#sums[task] += mean * rows;
      this.#rows[task] += rows;
    }
  }

  get mean(): PerTask<number> {
    return perTask((task) => this.#sums[task] / Math.max(1, this.#rows[task]));
  }
}
