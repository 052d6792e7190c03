import type { InferenceSession } from 'onnxruntime-node';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { createSession, float32Data, float32Tensor } from '../onnx/session.ts';
import { EmbeddingLayer } from './embeddingLayer.ts';
import { type Feeds, inputFeeds, maskFeeds } from './feeds.ts';
import { buildForwardGraph } from './networkGraphs.ts';
import { predictionOutput } from './tensorNames.ts';
import type { TrainingSet } from './trainingSet.ts';

const BATCH_ROWS = 2048;

/** Probabilities of rows of a training set, float32 [rows]. */
export interface Predictions {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
}

/** The training graph's forward pass with weights that still change, for validation. */
export class ForwardPass {
  readonly #session: InferenceSession;
  readonly #shape: NetworkShape;
  readonly #embeddingLayer: EmbeddingLayer;
  readonly #masks: Feeds;

  private constructor(session: InferenceSession, shape: NetworkShape, masks: Feeds) {
    this.#session = session;
    this.#shape = shape;
    this.#embeddingLayer = new EmbeddingLayer(shape.layout, shape.embeddingWidth);
    this.#masks = masks;
  }

  /** @throws Ncs4cvrError MASKS_INVALID */
  static async create(
    shape: NetworkShape,
    masks: TaskMasks | undefined,
    threads: number,
  ): Promise<ForwardPass> {
    const feeds = maskFeeds(shape, masks);
    const bytes = buildForwardGraph(shape, masks !== undefined);
    return new ForwardPass(await createSession(bytes, { threads }), shape, feeds);
  }

  /** @param chosen rows of the set, in the order of the result; all by default */
  async predict(
    { embeddings, parameters }: ModelWeights,
    set: TrainingSet,
    chosen?: Int32Array,
  ): Promise<Predictions> {
    const dense = this.#shape.parameters.map(
      ({ name, shape }) => [name, float32Tensor(parameters.get(name)!, shape)] as const,
    );
    const fixed: Feeds = { ...this.#masks, ...Object.fromEntries(dense) };
    const rowCount = chosen?.length ?? set.rowCount;
    const pctr = new Float32Array(rowCount);
    const pcvr = new Float32Array(rowCount);
    for (let start = 0; start < rowCount; start += BATCH_ROWS) {
      const end = Math.min(BATCH_ROWS + start, rowCount);
      const indices =
        chosen?.subarray(start, end) ?? Int32Array.from({ length: end - start }, (_, i) => start + i);
      const inputs = inputFeeds(this.#embeddingLayer, embeddings, set.rows, indices);
      const outputs = await this.#session.run({ ...fixed, ...inputs });
      pctr.set(float32Data(outputs, predictionOutput('click')), start);
      pcvr.set(float32Data(outputs, predictionOutput('conversion')), start);
    }
    return { pctr, pcvr };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
