import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { NetworkShape } from '../model/networkShape.ts';
import type { TaskMasks } from '../model/taskMasks.ts';
import { type PerTask, perTask } from '../model/tasks.ts';
import { type AdamSlot, adamStepSize, stepSizeInput } from '../onnx/adam.ts';
import { createSession, float32Data, float32Tensor, int64Tensor, scalarTensor } from '../onnx/session.ts';
import { EmbeddingLayer, SparseGradient } from './embeddingLayer.ts';
import { maskTensors } from './maskTensors.ts';
import type { ModelWeights } from './modelWeights.ts';
import {
  buildTrainingGraph,
  CLICKED_ROWS,
  DENSE_INPUT,
  FIELDS,
  FIELDS_GRADIENT,
  labelsInput,
  lossOutput,
  weightsInput,
} from './networkGraphs.ts';
import { LazyAdagrad, LazyAdam, type SparseOptimiser } from './sparseOptimiser.ts';
import type { TrainingSettings } from './trainingConfig.ts';
import type { TrainingSet } from './trainingSet.ts';

/** A task's loss in one step. */
export interface TaskLoss {
  /** Over the rows that count; 0 when none does. */
  readonly mean: number;
  /** Rows that count: all for clicks, the clicked ones for conversions (with label above 0 under maskedMse). */
  readonly rows: number;
}

/**
 * Runs joint optimiser steps and holds the weights and the optimisers' state. The dense parameters live in the
 * tensors that go in and out of the graph, the embeddings in one typed array that is changed in place.
 */
export class TrainingStep {
  readonly #session: InferenceSession;
  readonly #slots: readonly AdamSlot[];
  readonly #shape: NetworkShape;
  readonly #layout: FeatureLayout;
  readonly #settings: TrainingSettings;
  readonly #embeddings: Float32Array;
  readonly #embeddingLayer: EmbeddingLayer;
  readonly #gradient: SparseGradient;
  readonly #sparseOptimiser: SparseOptimiser;
  readonly #state: Record<string, Tensor>;
  #steps = 0;

  private constructor(
    session: InferenceSession,
    slots: readonly AdamSlot[],
    shape: NetworkShape,
    layout: FeatureLayout,
    settings: TrainingSettings,
    initial: ModelWeights,
    masks: Readonly<Record<string, Tensor>>,
  ) {
    this.#session = session;
    this.#slots = slots;
    this.#shape = shape;
    this.#layout = layout;
    this.#settings = settings;
    this.#embeddings = initial.embeddings.slice();
    this.#embeddingLayer = new EmbeddingLayer(layout, shape.embeddingWidth);
    this.#gradient = new SparseGradient(layout.embeddingRowCount, shape.embeddingWidth);
    const { optimiser, learningRate } = settings.embeddings;
    const Optimiser = optimiser === 'adam' ? LazyAdam : LazyAdagrad;
    this.#sparseOptimiser = new Optimiser(this.#embeddings.length, learningRate);
    this.#state = { ...masks };
    for (const slot of slots) {
      const { name, shape: dims } = slot.parameter;
      const values = initial.parameters.get(name)!;
      this.#state[name] = float32Tensor(values.slice(), dims as number[]);
      this.#state[slot.firstMoment] = float32Tensor(new Float32Array(values.length), dims as number[]);
      this.#state[slot.secondMoment] = float32Tensor(new Float32Array(values.length), dims as number[]);
    }
  }

  /** @throws ModelError MASKS_INVALID */
  static async create(
    shape: NetworkShape,
    layout: FeatureLayout,
    settings: TrainingSettings,
    initial: ModelWeights,
    masks?: TaskMasks,
  ): Promise<TrainingStep> {
    const given = maskTensors(shape, masks);
    const { bytes, slots } = buildTrainingGraph(shape, settings, masks !== undefined);
    const session = await createSession(bytes, { threads: settings.threads, flushDenormals: true });
    return new TrainingStep(session, slots, shape, layout, settings, initial, given);
  }

  /** The weights as they stand. Views: copy them before the next step. */
  get weights(): ModelWeights {
    const parameters = this.#slots.map(
      ({ parameter: { name } }) => [name, this.#state[name]!.data as Float32Array] as const,
    );
    return { embeddings: this.#embeddings, parameters: new Map(parameters) };
  }

  /** Hands the embeddings out for re-initialisation and forgets their optimiser's state. */
  resetEmbeddings(initialise: (embeddings: Float32Array) => void): void {
    initialise(this.#embeddings);
    this.#sparseOptimiser.reset();
  }

  /**
   * One step on the rows `indices` of `set`. Reorders `indices`: clicked rows first.
   * @param indices at least one row
   */
  async run(set: TrainingSet, indices: Int32Array): Promise<PerTask<TaskLoss>> {
    const count = indices.length;
    const clicked = clickedFirst(indices, set.click);
    const { fieldNames, embeddingWidth } = this.#shape;
    const fields = new Float32Array(count * fieldNames.length * embeddingWidth);
    this.#embeddingLayer.gather(this.#embeddings, set.rows, indices, count, fields);
    const { learningRate } = this.#settings.trunk;
    const conversion = this.#conversionRows(set, indices, clicked);
    const feeds: Record<string, Tensor> = {
      ...this.#state,
      [labelsInput('click')]: float32Tensor(
        Float32Array.from(indices, (row) => set.click[row]!),
        [count, 1],
      ),
      [weightsInput('click')]: float32Tensor(new Float32Array(count).fill(1 / count), [count, 1]),
      ...conversion.feeds,
      [FIELDS]: float32Tensor(fields, [count, fieldNames.length, embeddingWidth]),
      [stepSizeInput]: scalarTensor(adamStepSize(learningRate, ++this.#steps)),
    };
    if (this.#layout.denseWidth > 0) feeds[DENSE_INPUT] = this.#denseFeed(set, indices);

    const outputs = await this.#session.run(feeds);
    for (const slot of this.#slots) {
      this.#state[slot.parameter.name] = outputs[slot.nextParameter]!;
      this.#state[slot.firstMoment] = outputs[slot.nextFirstMoment]!;
      this.#state[slot.secondMoment] = outputs[slot.nextSecondMoment]!;
    }
    const fieldGradients = float32Data(outputs, FIELDS_GRADIENT);
    this.#embeddingLayer.scatter(fieldGradients, set.rows, indices, count, this.#gradient);
    this.#sparseOptimiser.step(this.#embeddings, this.#gradient);
    const rows: PerTask<number> = { click: count, conversion: conversion.rows };
    return perTask((task) => ({ mean: float32Data(outputs, lossOutput(task))[0]!, rows: rows[task] }));
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  /** Labels and weights of the conversion loss, and how many rows count. */
  #conversionRows(
    set: TrainingSet,
    indices: Int32Array,
    clicked: number,
  ): { readonly feeds: Record<string, Tensor>; readonly rows: number } {
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
    const feeds = {
      [CLICKED_ROWS]: int64Tensor([length]),
      [labelsInput('conversion')]: float32Tensor(labels, [length, 1]),
      [weightsInput('conversion')]: float32Tensor(weights, [length, 1]),
    };
    return { feeds, rows };
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
