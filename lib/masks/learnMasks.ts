import { Ncs4cvrError } from '../base/errors.ts';
import { RandomStream } from '../base/randomStream.ts';
import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import { allOnesMasks, type TaskMasks } from '../network/taskMasks.ts';
import { epochBatches, stepsPerEpoch } from '../training/epochBatches.ts';
import { drawNoise, expectedDensity } from '../training/hardConcrete.ts';
import { MaskLearning } from '../training/maskLearning.ts';
import { rowsOfTask } from '../training/taskLabels.ts';
import { LossMean, ProgressClock } from '../training/trainingProgress.ts';
import { refuseDiverged, TrainingStep } from '../training/trainingStep.ts';
import type { NetworkTraining } from '../training/trainNetwork.ts';
import type { LearnedMasksConfig } from './maskSearchConfig.ts';
import { keepHighest, leastConnections } from './pruneByMagnitude.ts';

export interface LearnedMasks {
  readonly masks: TaskMasks;
  /** Per layer, connections that were taken from a task because the tasks' gradients disagreed. */
  readonly handedOver: readonly number[];
  /** Mean cosine of both tasks' gradients over the shared connections, per layer; null for a layer without any. */
  readonly sharedCosines: readonly (number | null)[];
  readonly seconds: number;
}

/** Steps between two cuts: ranking every connection costs as much as two steps. Fewer where the annealing has few. */
const STEPS_PER_CUT = 32;
/** A run whose density never fell would score the connections of a dense network. */
const LEAST_CUTS = 4;
/** Apart from the shuffles of the joint training. */
const LEARNING_STREAM = 2 ** 21;

/**
 * Learns both tasks' masks in one joint run (method, appendix C): every connection has a score per task that starts
 * at its initial magnitude. With `topD`, a task's mask keeps the highest scores, fewer and fewer, and a score gets the
 * gradient of its mask bit; with `hardConcrete`, masks are drawn, and a penalty is on whenever the expected density is
 * above the schedule. In the end the highest scores are kept. The weights of this run are dropped: the masks belong to
 * the initial weights, as with magnitude pruning.
 * @throws Ncs4cvrError TRAINING_DIVERGED
 */
export async function learnMasks(
  { shape, settings, initial, trainingSet, onProgress }: NetworkTraining,
  { density, epochs, annealing, conflictCosine, estimator, sharing }: LearnedMasksConfig,
): Promise<LearnedMasks> {
  const random = new RandomStream(settings.seed + LEARNING_STREAM);
  const everything = allOnesMasks(shape);
  const learning = new MaskLearning(shape, initial, estimator);
  const step = await TrainingStep.create({ shape, settings, initial, masks: everything, learning });
  const order = rowsOfTask(trainingSet, 'click');
  const epochSteps = stepsPerEpoch(order.length, settings);
  const clock = new ProgressClock(order.length * epochs, { rows: 0, seconds: 0 });
  const annealingSteps = Math.max(1, annealing * epochs * epochSteps);
  const stepsPerCut = Math.max(1, Math.min(STEPS_PER_CUT, Math.floor(annealingSteps / LEAST_CUTS)));
  const densities = taskDensities(density);
  /** @param progress of the annealing, from 0 to 1 */
  const shareOf = (task: Task, progress: number) => densities[task] ** progress;
  const cut = (progress: number): TaskMasks => {
    const scores = shareScores(learning.scores, sharing);
    refuseLost(scores);
    return perTask((task) => keepHighest(scores[task], everything[task], 1 - shareOf(task, progress)));
  };
  const thinOut = (progress: number): void => {
    if (estimator === 'topD') step.setMasks(cut(progress));
    else {
      const wanted = (shareOf('click', progress) + shareOf('conversion', progress)) / TASKS.length;
      const isTooDense = expectedDensity(learning.scores) > wanted;
      learning.setDensityPenalty(isTooDense ? 1 : 0);
    }
  };
  try {
    for (let epoch = 0; epoch < epochs; epoch++) {
      const losses = new LossMean();
      for (const { index, rows, learningRateScale } of epochBatches(step, settings, epoch, order, random)) {
        const done = epoch * epochSteps + index;
        if (done % stepsPerCut === 0) thinOut(Math.min(1, done / annealingSteps));
        if (estimator === 'hardConcrete') learning.setNoise(drawNoise(shape, random));
        const stepLosses = await step.run(trainingSet, rows, learningRateScale);
        refuseDiverged(stepLosses, done + 1);
        losses.add(stepLosses);
        clock.advance(rows.length);
        if (clock.isDue())
          onProgress?.({ ...clock.progress(epoch, epochs, losses.mean), isLearningMasks: true });
      }
    }
    const cosines = learning.gradientCosines();
    const learned = cut(1);
    const { masks, handedOver } = resolveConflicts(learned, learning.scores, cosines, conflictCosine);
    const sharedCosines = cosines.map((layer, index) => meanWhereShared(layer, learned, index));
    return { masks, handedOver, sharedCosines, seconds: clock.seconds };
  } finally {
    await step.release();
  }
}

/** A score that is no number ranks below every other: its connections would all be cut without a word. */
function refuseLost(scores: PerTask<readonly Float32Array[]>): void {
  for (const task of TASKS) {
    const lost = scores[task].flatMap((layer) => layer.find((score) => !Number.isFinite(score)) ?? []);
    if (lost.length === 0) continue;
    throw new Ncs4cvrError('TRAINING_DIVERGED', `the ${task} mask can't be learned: its scores are lost`, {
      expected: 'finite scores of connections; smaller learning rates may help',
      found: String(lost[0]),
    });
  }
}

/** The share of connections that each task is to keep. */
export function taskDensities(density: LearnedMasksConfig['density']): PerTask<number> {
  return typeof density === 'number' ? perTask(() => density) : density;
}

/**
 * Gives every shared connection on which the tasks pull apart to the task that scores it higher, those that pull the
 * hardest first, as long as the other task keeps as much of the layer as a cut leaves it.
 * @param cosines per layer and connection, in [-1, 1]
 * @param below connections with a cosine below this are in conflict; -1 finds none
 * @internal exported for tests: cosines of a training can't be chosen
 */
export function resolveConflicts(
  masks: TaskMasks,
  scores: PerTask<readonly Float32Array[]>,
  cosines: readonly Float32Array[],
  below: number,
): { masks: TaskMasks; handedOver: number[] } {
  const resolved = perTask((task) => masks[task].map((layer) => layer.slice()));
  const handedOver = cosines.map((layer, index) => {
    const here = perTask((task) => resolved[task][index]!);
    const left: Record<Task, number> = perTask((task) => here[task].reduce((sum, bit) => sum + bit, 0));
    const least = leastConnections(layer.length);
    const inConflict = Array.from(layer.keys()).filter(
      (i) => here.click[i] === 1 && here.conversion[i] === 1 && layer[i]! < below,
    );
    let count = 0;
    for (const i of inConflict.sort((a, b) => layer[a]! - layer[b]!)) {
      const isClicks = scores.click[index]![i]! >= scores.conversion[index]![i]!;
      const loser = isClicks ? 'conversion' : 'click';
      if (left[loser] <= least) continue;
      here[loser][i] = 0;
      left[loser]--;
      count++;
    }
    return count;
  });
  return { masks: resolved, handedOver };
}

/**
 * What a connection is kept by: the task's own score, moved to the mean of both tasks' by `sharing` in [0, 1].
 * @internal exported for tests: scores of a training can't be chosen
 */
export function shareScores(
  scores: PerTask<readonly Float32Array[]>,
  sharing: number,
): PerTask<readonly Float32Array[]> {
  if (sharing === 0) return scores;
  const other = { click: scores.conversion, conversion: scores.click };
  return perTask((task) =>
    scores[task].map((layer, index) =>
      layer.map((score, i) => score + (sharing / 2) * (other[task][index]![i]! - score)),
    ),
  );
}

function meanWhereShared(cosines: Float32Array, masks: TaskMasks, layer: number): number | null {
  let sum = 0;
  let count = 0;
  cosines.forEach((cosine, i) => {
    if (masks.click[layer]![i] === 0 || masks.conversion[layer]![i] === 0) return;
    sum += cosine;
    count++;
  });
  return count === 0 ? null : sum / count;
}
