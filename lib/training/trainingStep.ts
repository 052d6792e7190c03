import type { InferenceSession } from 'onnxruntime-node';
import { Ncs4cvrError } from '../base/errors.ts';
import { type PerTask, TASKS, type Task } from '../base/tasks.ts';
import { embeddingColumns, type ModelWeights, type NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { adamStepSize, stepSizeInput } from '../onnx/adam.ts';
import { createSession, float32Data, scalarTensor } from '../onnx/session.ts';
import { AdamState } from './adamState.ts';
import { EmbeddingState } from './embeddingState.ts';
import { type Batch, clickedFirst, type Feeds, lossFeeds, maskFeeds } from './feeds.ts';
import type { MaskLearning } from './maskLearning.ts';
import { buildTrainingGraph } from './networkGraphs.ts';
import type { SparseOptimiserState } from './sparseOptimiser.ts';
import { FIELDS_GRADIENT, lossOutput } from './tensorNames.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';

/** A task's loss in one step. */
export interface TaskLoss {
  /** Over the rows that count; 0 when none does. */
  readonly mean: number;
  /** Rows that count: all for clicks, the clicked ones for conversions (with label above 0 under maskedMse). */
  readonly rows: number;
}
const NO_LOSS: TaskLoss = { mean: 0, rows: 0 };

export interface TrainingStepOptions {
  readonly shape: NetworkShape;
  readonly settings: TrainingSettings;
  /** Copied. */
  readonly initial: ModelWeights;
  /** Every connection is shared by default. */
  readonly masks?: TaskMasks | undefined;
  /** The tasks to learn: both by default, or one alone. */
  readonly tasks?: readonly Task[];
  /** Where masks are learned as well, which takes both tasks and makes every step a joint one; `masks` are the start. */
  readonly learning?: MaskLearning;
}

/** What `TrainingStep.restore` takes. */
export interface StepState {
  readonly embeddings: Float32Array;
  /** Parameters and their Adam moments by name. */
  readonly dense: Readonly<Record<string, Float32Array>>;
  readonly sparse: SparseOptimiserState;
  readonly steps: number;
}

/** Tasks whose losses are summed into one optimiser step, and the graph that takes it. */
interface Phase {
  readonly tasks: readonly Task[];
  readonly session: InferenceSession;
}

/** Runs optimiser steps: the dense parameters' by the training graph, the embeddings' beside it. */
export class TrainingStep {
  readonly #phases: readonly Phase[];
  readonly #shape: NetworkShape;
  readonly #settings: TrainingSettings;
  readonly #embeddings: EmbeddingState;
  readonly #parameters: AdamState;
  readonly #learning: MaskLearning | undefined;
  #masks: Feeds;
  #steps = 0;

  private constructor(
    { shape, settings, initial, learning }: TrainingStepOptions,
    masks: Feeds,
    phases: readonly Phase[],
  ) {
    this.#phases = phases;
    this.#shape = shape;
    this.#settings = settings;
    this.#embeddings = new EmbeddingState(shape, initial.embeddings, settings.embeddings);
    this.#parameters = new AdamState(
      shape.parameters.map(({ name, shape }) => ({ name, shape, values: initial.parameters.get(name)! })),
    );
    this.#masks = masks;
    this.#learning = learning;
  }

  /** @throws Ncs4cvrError MASKS_INVALID */
  static async create(options: TrainingStepOptions): Promise<TrainingStep> {
    const { shape, settings, masks, tasks = TASKS, learning } = options;
    const given = maskFeeds(shape, masks);
    const phases: Phase[] = [];
    const maskMode = learning?.estimator ?? (masks === undefined ? 'none' : 'given');
    const isJoint = settings.steps === 'joint' || learning !== undefined;
    for (const together of isJoint ? [tasks] : tasks.map((task) => [task])) {
      const bytes = buildTrainingGraph({ shape, settings, maskMode, tasks: together });
      const session = await createSession(bytes, { threads: settings.threads, flushDenormals: true });
      phases.push({ tasks: together, session });
    }
    return new TrainingStep(options, given, phases);
  }

  /** The weights as they stand. Views: copy them before the next step. */
  get weights(): ModelWeights {
    return { embeddings: this.#embeddings.values, parameters: this.#parameters.parameters };
  }

  /** Takes other masks from the next step on. @throws Ncs4cvrError MASKS_INVALID */
  setMasks(masks: TaskMasks): void {
    this.#masks = maskFeeds(this.#shape, masks);
  }

  /** Hands the embeddings out for re-initialisation and forgets their optimiser's state. */
  resetEmbeddings(initialise: (embeddings: Float32Array, shape: NetworkShape) => void): void {
    initialise(this.#embeddings.values, this.#shape);
    this.#embeddings.resetOptimiser();
  }

  /**
   * Learns from the rows `indices` of `set`: one joint step, or a click step on all of them and a conversion step on
   * the clicked ones, unless none of them counts. Reorders `indices`: clicked rows first.
   * @param indices at least one row
   * @param learningRateScale factor on the trunk's learning rate
   */
  async run(set: TrainingSet, indices: Int32Array, learningRateScale = 1): Promise<PerTask<TaskLoss>> {
    const learningRate = learningRateScale * this.#settings.trunk.learningRate;
    const batch = clickedFirst(set, indices);
    const losses: Record<Task, TaskLoss> = { click: NO_LOSS, conversion: NO_LOSS };
    for (const phase of this.#phases) {
      const rows = phase.tasks.includes('click') ? indices : indices.subarray(0, batch.clickedCount);
      Object.assign(losses, await this.#runPhase(phase, { ...batch, indices: rows }, learningRate));
    }
    return losses;
  }

  /** Weights and the state of both optimisers, for a checkpoint; masks are not part of it. Views. */
  get state(): StepState {
    return {
      embeddings: this.#embeddings.values,
      dense: this.#parameters.state,
      sparse: this.#embeddings.optimiserState,
      steps: this.#steps,
    };
  }

  /** Goes on where the step with this state was. @param state of the same network and settings */
  restore({ embeddings, dense, sparse, steps }: StepState): void {
    this.#embeddings.restore(embeddings, sparse);
    this.#parameters.restore(dense);
    this.#steps = steps;
  }

  async release(): Promise<void> {
    for (const { session } of this.#phases) await session.release();
  }

  async #runPhase(
    { tasks, session }: Phase,
    batch: Batch,
    learningRate: number,
  ): Promise<Partial<PerTask<TaskLoss>>> {
    const { set, indices } = batch;
    const { feeds, rows } = lossFeeds(batch, tasks, this.#settings);
    // No step: without a gradient, momentum alone would move the weights.
    if (tasks.every((task) => rows[task] === 0)) return {};
    const known: Feeds = {
      ...this.#parameters.feeds,
      ...this.#masks,
      ...this.#learning?.feeds,
      ...this.#embeddings.feeds(set, indices),
      ...feeds,
      [stepSizeInput]: scalarTensor(adamStepSize(learningRate, ++this.#steps)),
    };
    const outputs = await session.run(
      Object.fromEntries(session.inputNames.map((name) => [name, known[name]!])),
    );
    this.#parameters.take(outputs);
    this.#learning?.take(outputs);
    const columns = embeddingColumns(this.#shape, tasks);
    if (this.#shape.fieldNames.length > 0) {
      this.#embeddings.learn(float32Data(outputs, FIELDS_GRADIENT), set, indices, columns);
    }
    return Object.fromEntries(
      tasks.map((task) => [task, { mean: float32Data(outputs, lossOutput(task))[0]!, rows: rows[task] }]),
    );
  }
}

/**
 * Every run of steps asks: behind a loss that is lost come weights, scores and masks that mean nothing.
 * @param step from 1
 * @throws Ncs4cvrError TRAINING_DIVERGED
 */
export function refuseDiverged(losses: PerTask<TaskLoss>, step: number): void {
  for (const task of TASKS) {
    if (Number.isFinite(losses[task].mean)) continue;
    throw new Ncs4cvrError('TRAINING_DIVERGED', `the ${task} loss is lost at step ${step}`, {
      expected: 'a finite loss; smaller learning rates may help',
      found: String(losses[task].mean),
    });
  }
}
