import { Ncs4cvrError } from '../base/errors.ts';
import { type RandomState, RandomStream } from '../base/randomStream.ts';
import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import { FunnelMetrics, type FunnelReport } from '../metrics/funnelMetrics.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { CheckpointStore } from './checkpointStore.ts';
import { epochBatches, stepsPerEpoch } from './epochBatches.ts';
import { ForwardPass, type Predictions } from './forwardPass.ts';
import { copyWeights } from './modelWeights.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';
import { type StepState, type TaskLoss, TrainingStep } from './trainingStep.ts';

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

export interface TrainingProgress {
  readonly epoch: number;
  readonly epochs: number;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly secondsLeft: number;
  readonly losses: PerTask<number>;
  /** Present right after a validation. */
  readonly validation?: Validation;
}

export interface TrainedNetwork {
  /** The weights of the best validation. */
  readonly weights: ModelWeights;
  readonly best: Validation;
  readonly history: readonly Validation[];
  readonly seconds: number;
  readonly rowsPerSecond: number;
}

export interface TrainNetworkOptions {
  readonly shape: NetworkShape;
  readonly settings: TrainingSettings;
  readonly initial: ModelWeights;
  /** Every connection is shared by default. */
  readonly masks?: TaskMasks | undefined;
  /** Both by default; one alone for a mask search. */
  readonly tasks?: readonly Task[];
  readonly trainingSet: TrainingSet;
  readonly validationSet: TrainingSet;
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
  /** Where the state after every epoch, and the finished network, are kept; nowhere by default. */
  readonly checkpoints?: CheckpointStore | undefined;
  /** Name of this training among those of a run; default `joint`. */
  readonly checkpointName?: string;
}

/** Of a training whose tasks and masks are decided by what calls it. */
export type JointTrainingOptions = Omit<TrainNetworkOptions, 'masks' | 'tasks'>;

/** Where a training stands between two epochs. */
interface EpochState {
  readonly nextEpoch: number;
  readonly step: StepState;
  readonly random: RandomState;
  readonly order: Int32Array;
  readonly history: readonly Validation[];
  readonly best: { readonly validation: Validation; readonly weights: ModelWeights };
  readonly sinceBest: number;
  /** Of all epochs before `nextEpoch`. */
  readonly seconds: number;
}
type Checkpoint = { readonly running: EpochState } | { readonly done: TrainedNetwork };

/** A row order must not repeat the numbers that drew the initial weights. */
const SHUFFLE_STREAM = 0x5eed;
const PROGRESS_MILLIS = 1000;

/**
 * Trains both tasks, or one alone: shuffled epochs, validation several times an epoch, the best checkpoint kept, an
 * early stop when none was better for `patience` validations. With checkpoints, a training that was killed goes on after
 * its last whole epoch and ends with the same weights. Deterministic for a seed on one machine and one thread.
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES when no validation could tell one checkpoint from another, TRAINING_DIVERGED
 */
export async function trainNetwork(options: TrainNetworkOptions): Promise<TrainedNetwork> {
  const { shape, settings, initial, masks, tasks = TASKS, trainingSet, validationSet } = options;
  const { checkpoints, checkpointName = 'joint' } = options;
  refuseUnmeasurable(validationSet, tasks);
  const checkpoint = (await checkpoints?.load(checkpointName)) as Checkpoint | undefined;
  if (checkpoint !== undefined && 'done' in checkpoint) return checkpoint.done;
  const random = new RandomStream(settings.seed + SHUFFLE_STREAM);
  const step = await TrainingStep.create({ shape, settings, initial, masks, tasks });
  const forward = await ForwardPass.create(shape, masks, settings.threads);
  const order = Int32Array.from({ length: trainingSet.rowCount }, (_, row) => row);
  const epochSteps = stepsPerEpoch(order.length, settings);
  const validationSteps = validationPoints(epochSteps, settings.validationsPerEpoch);
  const earlier = checkpoint?.running;
  const clock = new ProgressClock(trainingSet.rowCount * settings.epochs, {
    rows: trainingSet.rowCount * (earlier?.nextEpoch ?? 0),
    seconds: earlier?.seconds ?? 0,
  });
  const history: Validation[] = [...(earlier?.history ?? [])];
  let best: { validation: Validation; weights: ModelWeights } | undefined = earlier?.best;
  let sinceBest = earlier?.sinceBest ?? 0;
  if (earlier !== undefined) {
    step.restore(earlier.step);
    random.restore(earlier.random);
    order.set(earlier.order);
  }

  try {
    for (let epoch = earlier?.nextEpoch ?? 0; epoch < settings.epochs; epoch++) {
      let losses = new LossMean();
      for (const { index, rows, learningRateScale } of epochBatches(step, settings, epoch, order, random)) {
        const stepLosses = await step.run(trainingSet, rows, learningRateScale);
        const done = epoch * epochSteps + index + 1;
        refuseDiverged(stepLosses, done);
        losses.add(stepLosses);
        clock.advance(rows.length);
        if (!validationSteps.has(index + 1)) {
          const progress = clock.progress(epoch, settings.epochs, losses.mean);
          if (clock.isDue()) options.onProgress?.(progress);
          continue;
        }
        const metrics = measure(await forward.predict(step.weights, validationSet), validationSet);
        const validation = {
          epoch,
          step: done,
          losses: losses.mean,
          metrics,
          score: selectionScore(metrics, tasks),
        };
        history.push(validation);
        sinceBest++;
        if (best === undefined || validation.score > best.validation.score) {
          best = { validation, weights: copyWeights(step.weights) };
          sinceBest = 0;
        }
        options.onProgress?.({ ...clock.progress(epoch, settings.epochs, losses.mean), validation });
        losses = new LossMean();
        if (sinceBest >= settings.patience) break;
      }
      // The finished network follows at once.
      if (epoch + 1 === settings.epochs || sinceBest >= settings.patience) break;
      const running = {
        nextEpoch: epoch + 1,
        step: step.state,
        random: random.state,
        order,
        history,
        best,
        sinceBest,
        seconds: clock.seconds,
      };
      await checkpoints?.save(checkpointName, { running });
    }
  } finally {
    await step.release();
    await forward.release();
  }
  const { validation, weights } = best!;
  const { seconds, rowsPerSecond } = clock;
  const done: TrainedNetwork = { weights, best: validation, history, seconds, rowsPerSecond };
  await checkpoints?.save(checkpointName, { done });
  return done;
}

/** All metrics of predictions on labelled rows. */
export function measure(predictions: Predictions, set: TrainingSet): FunnelReport {
  const metrics = new FunnelMetrics();
  metrics.add({ ...predictions, click: set.click, conversion: set.conversion });
  return metrics.compute();
}

/** A task without both classes among the validation rows doesn't count; at least one has them. */
function selectionScore(metrics: FunnelReport, tasks: readonly Task[]): number {
  const aucs = tasks.map((task) => metrics[task].auc).filter((auc) => auc !== null);
  return aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length;
}

/** Without any AUC the first checkpoint would be kept, hardly trained, without a word. */
function refuseUnmeasurable(set: TrainingSet, tasks: readonly Task[]): void {
  const anyScores = new Float32Array(set.rowCount).fill(0.5);
  const metrics = measure({ pctr: anyScores, pcvr: anyScores }, set);
  if (tasks.some((task) => metrics[task].auc !== null)) return;
  throw new Ncs4cvrError('TRAINING_NO_POSITIVES', 'no checkpoint can be chosen on the validation rows', {
    expected: `both classes of ${tasks.join(' or ')} among them`,
    found: `${metrics.click.rows} rows, ${metrics.conversion.rows} clicks`,
  });
}

function refuseDiverged(losses: PerTask<TaskLoss>, step: number): void {
  for (const task of TASKS) {
    if (Number.isFinite(losses[task].mean)) continue;
    throw new Ncs4cvrError('TRAINING_DIVERGED', `the ${task} loss is lost at step ${step}`, {
      expected: 'a finite loss; smaller learning rates may help',
      found: String(losses[task].mean),
    });
  }
}

/** Steps (from 1) after which to validate: evenly spread, the last of the epoch always among them. */
function validationPoints(stepsPerEpoch: number, count: number): ReadonlySet<number> {
  return new Set(
    Array.from({ length: count }, (_, i) => Math.max(1, Math.round(((i + 1) * stepsPerEpoch) / count))),
  );
}

/** Mean over rows, not over steps: with few clicks many a step has no conversion loss at all. */
class LossMean {
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

class ProgressClock {
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
