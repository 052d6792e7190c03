import { type RandomState, RandomStream } from '../base/randomStream.ts';
import { TASKS, type Task } from '../base/tasks.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { CheckpointStore } from './checkpointStore.ts';
import { epochBatches, stepsPerEpoch } from './epochBatches.ts';
import { ForwardPass } from './forwardPass.ts';
import { copyWeights } from './modelWeights.ts';
import { rowsOfTask } from './taskLabels.ts';
import { LossMean, ProgressClock, type TrainingProgress } from './trainingProgress.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';
import { refuseDiverged, type StepState, TrainingStep } from './trainingStep.ts';
import { measure, refuseUnmeasurable, selectionScore, type Validation } from './validation.ts';

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
  readonly history: readonly Validation[];
  readonly best: { readonly validation: Validation; readonly weights: ModelWeights };
  readonly sinceBest: number;
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
  { shape, settings, initial, trainingSet, validationSet, onProgress, checkpoints }: NetworkTraining,
  { masks, tasks = TASKS, epochs = settings.epochs, checkpointName = 'joint' }: TrainNetworkOptions = {},
): Promise<TrainedNetwork> {
  refuseUnmeasurable(validationSet, tasks);
  const checkpoint = (await checkpoints?.load(checkpointName)) as Checkpoint | undefined;
  if (checkpoint !== undefined && 'done' in checkpoint) return checkpoint.done;
  const random = new RandomStream(settings.seed + SHUFFLE_STREAM);
  const step = await TrainingStep.create({ shape, settings, initial, masks, tasks });
  const forward = await ForwardPass.create(shape, masks, settings.threads);
  const order = rowsOfTask(trainingSet, 'click');
  const epochSteps = stepsPerEpoch(order.length, settings);
  const validationSteps = validationPoints(epochSteps, settings.validationsPerEpoch);
  const earlier = checkpoint?.running;
  const clock = new ProgressClock(order.length * epochs, {
    rows: order.length * (earlier?.nextEpoch ?? 0),
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
    for (let epoch = earlier?.nextEpoch ?? 0; epoch < epochs; epoch++) {
      let losses = new LossMean();
      for (const { index, rows, learningRateScale } of epochBatches(step, settings, epoch, order, random)) {
        const stepLosses = await step.run(trainingSet, rows, learningRateScale);
        const done = epoch * epochSteps + index + 1;
        refuseDiverged(stepLosses, done);
        losses.add(stepLosses);
        clock.advance(rows.length);
        if (!validationSteps.has(index + 1)) {
          const progress = clock.progress(epoch, epochs, losses.mean);
          if (clock.isDue()) onProgress?.(progress);
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
        onProgress?.({ ...clock.progress(epoch, epochs, losses.mean), validation });
        losses = new LossMean();
        if (sinceBest >= settings.patience) break;
      }
      // The finished network follows at once.
      if (epoch + 1 === epochs || sinceBest >= settings.patience) break;
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

/** Steps (from 1) after which to validate: evenly spread, the last of the epoch always among them. */
function validationPoints(stepsPerEpoch: number, count: number): ReadonlySet<number> {
  return new Set(
    Array.from({ length: count }, (_, i) => Math.max(1, Math.round(((i + 1) * stepsPerEpoch) / count))),
  );
}
