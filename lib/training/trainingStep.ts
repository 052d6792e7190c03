import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type PerTask, TASKS, type Task } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ModelWeights } from '../network/networkShape.ts';
import { embeddingColumns, type NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import {
  type AdamSlot,
  adamStepSize,
  firstMomentName,
  secondMomentName,
  stepSizeInput,
} from '../onnx/adam.ts';
import { createSession, float32Data, float32Tensor, int64Tensor, scalarTensor } from '../onnx/session.ts';
import { CLICKED_ROWS, CTCVR_LABELS, labelsInput, lossOutput, weightsInput } from './addLosses.ts';
import { EmbeddingLayer, SparseGradient } from './embeddingLayer.ts';
import { initialLogitScores } from './hardConcrete.ts';
import type { MaskEstimator } from './maskScores.ts';
import { agreementName, nextAgreementName, scoreName, trunkMagnitudes } from './maskScores.ts';
import { maskTensors } from './maskTensors.ts';
import { buildTrainingGraph, DENSE_INPUT, FIELDS, FIELDS_GRADIENT, type MaskMode } from './networkGraphs.ts';
import { LazyAdagrad, LazyAdam, type SparseOptimiser, type SparseOptimiserState } from './sparseOptimiser.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';

/** A task's loss in one step. */
export interface TaskLoss {
  /** Over the rows that count; 0 when none does. */
  readonly mean: number;
  /** Rows that count: all for clicks, the clicked ones for conversions (with label above 0 under maskedMse). */
  readonly rows: number;
}

/** Tasks whose losses are summed into one optimiser step, and the graph that takes it. */
interface Phase {
  readonly tasks: readonly Task[];
  readonly session: InferenceSession;
  readonly slots: readonly AdamSlot[];
}

/** What `TrainingStep.restore` takes. */
export interface StepState {
  readonly embeddings: Float32Array;
  /** Parameters and their Adam moments by name. */
  readonly dense: Readonly<Record<string, Float32Array>>;
  readonly sparse: SparseOptimiserState;
  readonly steps: number;
}

/** What every phase needs to know about the model. */
interface StepContext {
  readonly shape: NetworkShape;
  readonly layout: FeatureLayout;
  readonly settings: TrainingSettings;
}

/**
 * Runs optimiser steps and holds the weights and the optimisers' state. The dense parameters live in the tensors
 * that go in and out of the graphs, the embeddings in one typed array that is changed in place.
 */
export class TrainingStep {
  readonly #phases: readonly Phase[];
  readonly #shape: NetworkShape;
  readonly #layout: FeatureLayout;
  readonly #settings: TrainingSettings;
  readonly #embeddings: Float32Array;
  readonly #embeddingLayer: EmbeddingLayer;
  readonly #gradient: SparseGradient;
  readonly #sparseOptimiser: SparseOptimiser;
  readonly #parameterNames: readonly string[];
  readonly #state: Record<string, Tensor>;
  #steps = 0;

  private constructor(
    phases: readonly Phase[],
    { shape, layout, settings }: StepContext,
    initial: ModelWeights,
    masks: Readonly<Record<string, Tensor>>,
    estimator: MaskEstimator | undefined,
  ) {
    this.#phases = phases;
    this.#shape = shape;
    this.#layout = layout;
    this.#settings = settings;
    this.#embeddings = initial.embeddings.slice();
    this.#embeddingLayer = new EmbeddingLayer(layout, shape.embeddingWidth);
    this.#gradient = new SparseGradient(layout.embeddingRowCount, shape.embeddingWidth);
    const { optimiser, learningRate } = settings.embeddings;
    const Optimiser = optimiser === 'adam' ? LazyAdam : LazyAdagrad;
    this.#sparseOptimiser = new Optimiser(this.#embeddings.length, learningRate);
    this.#parameterNames = shape.parameters.map(({ name }) => name);
    this.#state = { ...masks };
    for (const { name, shape: dims } of shape.parameters) {
      this.#addParameter(name, initial.parameters.get(name)!.slice(), dims);
    }
    if (estimator !== undefined) this.#addScores(initial, estimator);
  }

  #addParameter(name: string, values: Float32Array, dims: readonly number[]): void {
    this.#state[name] = float32Tensor(values, dims);
    this.#state[firstMomentName(name)] = float32Tensor(new Float32Array(values.length), dims);
    this.#state[secondMomentName(name)] = float32Tensor(new Float32Array(values.length), dims);
  }

  #addScores(initial: ModelWeights, estimator: MaskEstimator): void {
    trunkMagnitudes(this.#shape, initial).forEach((magnitudes, layer) => {
      const scores = estimator === 'topD' ? magnitudes : initialLogitScores(magnitudes);
      const dims = this.#shape.layerWidths.slice(layer, layer + 2);
      for (const task of TASKS) this.#addParameter(scoreName(task, layer), scores.slice(), dims);
      this.#state[agreementName(layer)] = float32Tensor(new Float32Array(scores.length), dims);
    });
  }

  /**
   * @param tasks the tasks to learn: both, or one alone
   * @param maskMode where masks are learnt, `masks` are where that starts, and both tasks are learnt jointly
   * @throws Ncs4cvrError MASKS_INVALID
   */
  static async create(
    shape: NetworkShape,
    layout: FeatureLayout,
    settings: TrainingSettings,
    initial: ModelWeights,
    masks?: TaskMasks,
    tasks: readonly Task[] = TASKS,
    maskMode: MaskMode = masks === undefined ? 'none' : 'given',
  ): Promise<TrainingStep> {
    const given = maskTensors(shape, masks);
    const together = settings.steps === 'joint' ? [tasks] : tasks.map((task) => [task]);
    const phases: Phase[] = [];
    for (const tasks of together) {
      const { bytes, slots } = buildTrainingGraph(shape, settings, maskMode, tasks);
      const session = await createSession(bytes, { threads: settings.threads, flushDenormals: true });
      phases.push({ tasks, session, slots });
    }
    const estimator = maskMode === 'none' || maskMode === 'given' ? undefined : maskMode;
    return new TrainingStep(phases, { shape, layout, settings }, initial, given, estimator);
  }

  /** The weights as they stand. Views: copy them before the next step. */
  get weights(): ModelWeights {
    const parameters = this.#parameterNames.map(
      (name) => [name, this.#state[name]!.data as Float32Array] as const,
    );
    return { embeddings: this.#embeddings, parameters: new Map(parameters) };
  }

  /** Takes other masks from the next step on. @throws Ncs4cvrError MASKS_INVALID */
  setMasks(masks: TaskMasks): void {
    this.feed(maskTensors(this.#shape, masks));
  }

  /** Further inputs of the graph, from the next step on. */
  feed(inputs: Readonly<Record<string, Tensor>>): void {
    Object.assign(this.#state, inputs);
  }

  /** A parameter, an Adam moment or another kept value by name. A view. */
  read(name: string): Float32Array {
    return this.#state[name]!.data as Float32Array;
  }

  /** Hands the embeddings out for re-initialisation and forgets their optimiser's state. */
  resetEmbeddings(initialise: (embeddings: Float32Array, shape: NetworkShape) => void): void {
    initialise(this.#embeddings, this.#shape);
    this.#sparseOptimiser.reset();
  }

  /**
   * Learns from the rows `indices` of `set`: one joint step, or a click step on all of them and a conversion step on
   * the clicked ones. Reorders `indices`: clicked rows first.
   * @param indices at least one row
   * @param learningRateScale factor on the trunk's learning rate
   */
  async run(set: TrainingSet, indices: Int32Array, learningRateScale = 1): Promise<PerTask<TaskLoss>> {
    const learningRate = learningRateScale * this.#settings.trunk.learningRate;
    const clicked = clickedFirst(indices, set.click);
    const losses: Record<Task, TaskLoss> = { click: NO_LOSS, conversion: NO_LOSS };
    for (const phase of this.#phases) {
      const isClickedOnly = !phase.tasks.includes('click');
      const rows = isClickedOnly ? indices.subarray(0, clicked) : indices;
      if (rows.length > 0)
        Object.assign(losses, await this.#runPhase(phase, set, rows, clicked, learningRate));
    }
    return losses;
  }

  /** Weights and the state of both optimisers, for a checkpoint; masks are not part of it. Views. */
  get state(): StepState {
    const names = this.#parameterNames.flatMap((name) => [
      name,
      firstMomentName(name),
      secondMomentName(name),
    ]);
    return {
      embeddings: this.#embeddings,
      dense: Object.fromEntries(names.map((name) => [name, this.read(name)])),
      sparse: this.#sparseOptimiser.state,
      steps: this.#steps,
    };
  }

  /** Goes on where the step with this state was. @param state of the same network and settings */
  restore({ embeddings, dense, sparse, steps }: StepState): void {
    this.#embeddings.set(embeddings);
    for (const [name, values] of Object.entries(dense)) {
      this.#state[name] = float32Tensor(values.slice(), this.#state[name]!.dims);
    }
    this.#sparseOptimiser.restore(sparse);
    this.#steps = steps;
  }

  async release(): Promise<void> {
    for (const { session } of this.#phases) await session.release();
  }

  async #runPhase(
    { tasks, session, slots }: Phase,
    set: TrainingSet,
    indices: Int32Array,
    clicked: number,
    learningRate: number,
  ): Promise<Partial<Record<Task, TaskLoss>>> {
    const count = indices.length;
    const { fieldNames, embeddingWidth } = this.#shape;
    const fields = new Float32Array(count * fieldNames.length * embeddingWidth);
    this.#embeddingLayer.gather(this.#embeddings, set.rows, indices, count, fields);
    const feeds: Record<string, Tensor> = {
      ...this.#state,
      [FIELDS]: float32Tensor(fields, [count, fieldNames.length, embeddingWidth]),
      [stepSizeInput]: scalarTensor(adamStepSize(learningRate, ++this.#steps)),
    };
    const rows: PerTask<number> = {
      click: count,
      conversion: tasks.includes('conversion') ? this.#feedConversions(feeds, set, indices, clicked) : 0,
    };
    if (tasks.includes('click')) this.#feedClicks(feeds, set, indices);
    if (this.#layout.denseWidth > 0) feeds[DENSE_INPUT] = this.#denseFeed(set, indices);

    if (session.inputNames.includes(CTCVR_LABELS)) {
      const labels = Float32Array.from(indices, (row) => (set.click[row] === 1 ? set.conversion[row]! : 0));
      feeds[CTCVR_LABELS] = float32Tensor(labels, [count, 1]);
    }

    const outputs = await session.run(pick(feeds, session.inputNames));
    for (const slot of slots) {
      this.#state[slot.parameter.name] = outputs[slot.nextParameter]!;
      this.#state[slot.firstMoment] = outputs[slot.nextFirstMoment]!;
      this.#state[slot.secondMoment] = outputs[slot.nextSecondMoment]!;
    }
    for (let layer = 0; outputs[nextAgreementName(layer)] !== undefined; layer++) {
      this.#state[agreementName(layer)] = outputs[nextAgreementName(layer)]!;
    }
    const fieldGradients = float32Data(outputs, FIELDS_GRADIENT);
    this.#embeddingLayer.scatter(fieldGradients, set.rows, indices, count, this.#gradient);
    this.#sparseOptimiser.step(this.#embeddings, this.#gradient, embeddingColumns(this.#shape, tasks));
    return Object.fromEntries(
      tasks.map((task) => [task, { mean: float32Data(outputs, lossOutput(task))[0]!, rows: rows[task] }]),
    );
  }

  #feedClicks(feeds: Record<string, Tensor>, set: TrainingSet, indices: Int32Array): void {
    const count = indices.length;
    const labels = Float32Array.from(indices, (row) => set.click[row]!);
    feeds[labelsInput('click')] = float32Tensor(labels, [count, 1]);
    feeds[weightsInput('click')] = float32Tensor(new Float32Array(count).fill(1 / count), [count, 1]);
  }

  /** Labels and weights of the conversion loss; returns how many rows count. */
  #feedConversions(
    feeds: Record<string, Tensor>,
    set: TrainingSet,
    indices: Int32Array,
    clicked: number,
  ): number {
    // At least one row goes through the conversion head, without weight when nothing was clicked.
    const length = Math.max(1, clicked);
    const labels = new Float32Array(length);
    const weights = new Float32Array(length);
    const onlyPositive = this.#settings.losses.conversion.kind === 'maskedMse';
    let rows = 0;
    for (let i = 0; i < clicked; i++) {
      labels[i] = set.conversion[indices[i]!]!;
      if (onlyPositive && labels[i] === 0) continue;
      weights[i] = 1;
      rows++;
    }
    if (rows > 0) for (let i = 0; i < clicked; i++) weights[i]! /= rows;
    feeds[CLICKED_ROWS] = int64Tensor([length]);
    feeds[labelsInput('conversion')] = float32Tensor(labels, [length, 1]);
    feeds[weightsInput('conversion')] = float32Tensor(weights, [length, 1]);
    return rows;
  }

  #denseFeed(set: TrainingSet, indices: Int32Array): Tensor {
    const { denseWidth } = this.#layout;
    const dense = new Float32Array(indices.length * denseWidth);
    indices.forEach((row, i) => {
      dense.set(set.rows.dense.subarray(row * denseWidth, (row + 1) * denseWidth), i * denseWidth);
    });
    return float32Tensor(dense, [indices.length, denseWidth]);
  }
}

const NO_LOSS: TaskLoss = { mean: 0, rows: 0 };

function pick(feeds: Readonly<Record<string, Tensor>>, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(names.map((name) => [name, feeds[name]!]));
}

/** Moves clicked rows to the front, keeping the order on both sides; returns how many there are. */
function clickedFirst(indices: Int32Array, click: Uint8Array): number {
  const unclicked: number[] = [];
  let clicked = 0;
  for (const row of indices) {
    if (click[row] === 1) indices[clicked++] = row;
    else unclicked.push(row);
  }
  indices.set(unclicked, clicked);
  return clicked;
}
