import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { createSession, float32Data, float32Tensor } from '../onnx/session.ts';
import { EmbeddingLayer } from './embeddingLayer.ts';
import { maskTensors } from './maskTensors.ts';
import { buildForwardGraph, DENSE_INPUT, FIELDS, predictionOutput } from './networkGraphs.ts';
import type { TrainingSet } from './trainingSet.ts';

const BATCH_ROWS = 2048;

/** Probabilities of every row of a training set, float32 [rowCount]. */
export interface Predictions {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
}

/** The training graph's forward pass with weights that still change, for validation. */
export class ForwardPass {
  readonly #session: InferenceSession;
  readonly #shape: NetworkShape;
  readonly #layout: FeatureLayout;
  readonly #embeddingLayer: EmbeddingLayer;
  readonly #masks: Readonly<Record<string, Tensor>>;

  private constructor(
    session: InferenceSession,
    shape: NetworkShape,
    layout: FeatureLayout,
    masks: TaskMasks | undefined,
  ) {
    this.#session = session;
    this.#shape = shape;
    this.#layout = layout;
    this.#embeddingLayer = new EmbeddingLayer(layout, shape.embeddingWidth);
    this.#masks = maskTensors(shape, masks);
  }

  static async create(
    shape: NetworkShape,
    layout: FeatureLayout,
    masks: TaskMasks | undefined,
    threads: number,
  ): Promise<ForwardPass> {
    const bytes = buildForwardGraph(shape, masks !== undefined);
    return new ForwardPass(await createSession(bytes, { threads }), shape, layout, masks);
  }

  async predict(weights: ModelWeights, set: TrainingSet): Promise<Predictions> {
    const { fieldNames, embeddingWidth, parameters } = this.#shape;
    const { denseWidth } = this.#layout;
    const fixed: Record<string, Tensor> = { ...this.#masks };
    for (const { name, shape } of parameters) {
      fixed[name] = float32Tensor(weights.parameters.get(name)!, shape);
    }
    const pctr = new Float32Array(set.rowCount);
    const pcvr = new Float32Array(set.rowCount);
    const rowWidth = fieldNames.length * embeddingWidth;
    for (let start = 0; start < set.rowCount; start += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, set.rowCount - start);
      const indices = Int32Array.from({ length: count }, (_, i) => start + i);
      const fields = new Float32Array(count * rowWidth);
      this.#embeddingLayer.gather(weights.embeddings, set.rows, indices, count, fields);
      const feeds: Record<string, Tensor> = {
        ...fixed,
        [FIELDS]: float32Tensor(fields, [count, fieldNames.length, embeddingWidth]),
      };
      if (denseWidth > 0) {
        const dense = set.rows.dense.subarray(start * denseWidth, (start + count) * denseWidth);
        feeds[DENSE_INPUT] = float32Tensor(dense, [count, denseWidth]);
      }
      const outputs = await this.#session.run(feeds);
      pctr.set(float32Data(outputs, predictionOutput('click')), start);
      pcvr.set(float32Data(outputs, predictionOutput('conversion')), start);
    }
    return { pctr, pcvr };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
