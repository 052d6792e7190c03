import { type RandomState, RandomStream } from '../base/randomStream.ts';
import { type PerTask, TASKS, type Task } from '../base/tasks.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { BestValidation, type ValidationState } from './bestValidation.ts';
import type { CheckpointStore } from './checkpointStore.ts';
import { epochBatches, stepsPerEpoch, validationSteps } from './epochBatches.ts';
import { ForwardPass } from './forwardPass.ts';
import { rowsOfTask } from './taskLabels.ts';
import { LossMean, ProgressClock, type TrainingProgress } from './trainingProgress.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';
import { refuseDiverged, type StepState, TrainingStep } from './trainingStep.ts';
import {
  measure,
  refuseLostScores,
  refuseUnmeasurable,
  selectionScore,
  type Validation,
} from './validation.ts';

export interface TrainedNetwork {
  /** The weights of the best validation. */
  readonly weights: ModelWeights;
  readonly best: Validation;
  readonly history: readonly Validation[];
  readonly seconds: number;
  readonly rowsPerSecond: number;
}

/** A network, where it starts and what it learns from: the same for every training of a mask search. */
export interface NetworkTraining {
  readonly shape: NetworkShape;
  readonly settings: TrainingSettings;
  readonly initial: ModelWeights;
  readonly trainingSet: TrainingSet;
  readonly validationSet: TrainingSet;
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
  /** Where the state after every epoch, and the finished network, are kept; nowhere by default. */
  readonly checkpoints?: CheckpointStore | undefined;
}

/** What differs between the trainings of a mask search. */
export interface TrainNetworkOptions {
  /** Every connection is shared by default. */
  readonly masks?: TaskMasks | undefined;
  /** Both by default; one alone for a mask search. */
  readonly tasks?: readonly Task[];
  /** The settings' own by default. */
  readonly epochs?: number;
  /** Name of this training among those of a run; default `joint`. */
  readonly checkpointName?: string;
}

/** Where a training stands between two epochs. */
interface EpochState {
  readonly nextEpoch: number;
  readonly step: StepState;
  readonly random: RandomState;
  readonly order: Int32Array;
  readonly validations: ValidationState;
  /** Of all epochs before `nextEpoch`. */
  readonly seconds: number;
}
type Checkpoint = { readonly running: EpochState } | { readonly done: TrainedNetwork };

/** A row order must not repeat the numbers that drew the initial weights. */
const SHUFFLE_STREAM = 0x5eed;

/**
 * Trains both tasks, or one alone: shuffled epochs, validation several times an epoch, the best checkpoint kept, an
 * early stop when none was better for `patience` validations. With checkpoints, a training that was killed goes on
 * after its last whole epoch and ends with the same weights. Deterministic for a seed on one machine and one thread.
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES when no validation could tell one checkpoint from another,
 * TRAINING_DIVERGED
 */
export async function trainNetwork(
  training: NetworkTraining,
  options: TrainNetworkOptions = {},
): Promise<TrainedNetwork> {
  const { validationSet, checkpoints } = training;
  const { tasks = TASKS, epochs = training.settings.epochs, checkpointName = 'joint' } = options;
  refuseUnmeasurable(validationSet, tasks);
  const checkpoint = (await checkpoints?.load(checkpointName)) as Checkpoint | undefined;
  if (checkpoint !== undefined && 'done' in checkpoint) return checkpoint.done;
  const run = await TrainingRun.open(training, { masks: options.masks, tasks, epochs }, checkpoint?.running);
  try {
    while (!run.isOver) {
      await run.trainEpoch();
      // The finished network follows at once.
      if (!run.isOver) await checkpoints?.save(checkpointName, { running: run.state });
    }
  } finally {
    await run.release();
  }
  const done = run.trained;
  await checkpoints?.save(checkpointName, { done });
  return done;
}

/** One training on its way from epoch to epoch. */
class TrainingRun {
  readonly #training: NetworkTraining;
  readonly #tasks: readonly Task[];
  readonly #epochs: number;
  readonly #step: TrainingStep;
  readonly #forward: ForwardPass;
  readonly #random: RandomStream;
  /** Rows to learn from, in the order of the epoch before. */
  readonly #order: Int32Array;
  readonly #clock: ProgressClock;
  readonly #validations: BestValidation;
  #nextEpoch: number;

  private constructor(
    training: NetworkTraining,
    { tasks, epochs }: { readonly tasks: readonly Task[]; readonly epochs: number },
    { step, forward }: { readonly step: TrainingStep; readonly forward: ForwardPass },
    earlier: EpochState | undefined,
  ) {
    this.#training = training;
    this.#tasks = tasks;
    this.#epochs = epochs;
    this.#step = step;
    this.#forward = forward;
    this.#random = new RandomStream(training.settings.seed + SHUFFLE_STREAM);
    this.#order = rowsOfTask(training.trainingSet, 'click');
    this.#nextEpoch = earlier?.nextEpoch ?? 0;
    this.#clock = new ProgressClock(this.#order.length * epochs, {
      rows: this.#order.length * this.#nextEpoch,
      seconds: earlier?.seconds ?? 0,
    });
    this.#validations = new BestValidation(training.settings.patience, earlier?.validations);
    if (earlier === undefined) return;
    step.restore(earlier.step);
    this.#random.restore(earlier.random);
    this.#order.set(earlier.order);
  }

  /**
   * @param earlier where it goes on; at the start by default
   * @throws Ncs4cvrError MASKS_INVALID
   */
  static async open(
    training: NetworkTraining,
    options: Required<Pick<TrainNetworkOptions, 'tasks' | 'epochs'>> & Pick<TrainNetworkOptions, 'masks'>,
    earlier: EpochState | undefined,
  ): Promise<TrainingRun> {
    const { shape, settings, initial } = training;
    const { masks, tasks } = options;
    const step = await TrainingStep.create({ shape, settings, initial, masks, tasks });
    const forward = await ForwardPass.create(shape, masks, settings.threads);
    return new TrainingRun(training, options, { step, forward }, earlier);
  }

  get isOver(): boolean {
    return this.#nextEpoch >= this.#epochs || this.#validations.isStale;
  }

  /** Views: save them before the next epoch. */
  get state(): EpochState {
    return {
      nextEpoch: this.#nextEpoch,
      step: this.#step.state,
      random: this.#random.state,
      order: this.#order,
      validations: this.#validations.state,
      seconds: this.#clock.seconds,
    };
  }

  /** What came of it, when it is over. */
  get trained(): TrainedNetwork {
    const { best, history } = this.#validations.state;
    const { seconds, rowsPerSecond } = this.#clock;
    return { weights: best!.weights, best: best!.validation, history, seconds, rowsPerSecond };
  }

  /** Up to its last step, or to the validation after which training stops early. @throws Ncs4cvrError TRAINING_DIVERGED */
  async trainEpoch(): Promise<void> {
    const { settings, trainingSet, onProgress } = this.#training;
    const epoch = this.#nextEpoch++;
    const epochSteps = stepsPerEpoch(this.#order.length, settings);
    const validated = validationSteps(epochSteps, settings.validationsPerEpoch);
    let losses = new LossMean();
    for (const batch of epochBatches(this.#step, settings, epoch, this.#order, this.#random)) {
      const stepLosses = await this.#step.run(trainingSet, batch.rows, batch.learningRateScale);
      const done = epoch * epochSteps + batch.index + 1;
      refuseDiverged(stepLosses, done);
      losses.add(stepLosses);
      this.#clock.advance(batch.rows.length);
      const progress = () => this.#clock.progress(epoch, this.#epochs, losses.mean);
      if (!validated.has(batch.index + 1)) {
        if (this.#clock.isDue()) onProgress?.(progress());
        continue;
      }
      const validation = await this.#validate(epoch, done, losses.mean);
      onProgress?.({ ...progress(), validation });
      if (this.#validations.isStale) return;
      losses = new LossMean();
    }
  }

  async release(): Promise<void> {
    await this.#step.release();
    await this.#forward.release();
  }

  async #validate(epoch: number, step: number, losses: PerTask<number>): Promise<Validation> {
    const { validationSet } = this.#training;
    const { weights } = this.#step;
    const predictions = await this.#forward.predict(weights, validationSet);
    refuseLostScores(predictions, step);
    const metrics = measure(predictions, validationSet);
    const validation = { epoch, step, losses, metrics, score: selectionScore(metrics, this.#tasks) };
    this.#validations.add(validation, weights);
    return validation;
  }
}
