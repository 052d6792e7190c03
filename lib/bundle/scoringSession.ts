import type { InferenceSession } from 'onnxruntime-node';
import { Tensor } from 'onnxruntime-node';
import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { createSession } from '../onnx/session.ts';
import { DENSE, LIST_ROWS, LIST_WEIGHTS, SINGLE_ROWS } from './modelInterface.ts';

/**
 * Rows of every session run. Always the same shape, so that a row's score has the same bits whatever rows stand
 * beside it: matrix kernels choose their path by shape. 512 is where onnxruntime is fastest on one core.
 */
export const SCORING_BATCH_ROWS = 512;

/** Scores of a batch, each float32 [rows]; valid until the next call. */
export interface Scores {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
  readonly pctcvr: Float32Array;
}

/** A model.onnx with a batch buffer of fixed shape. One instance a thread. */
export class ScoringSession {
  /** Encode up to SCORING_BATCH_ROWS rows here, then call `score`. */
  readonly rows: EncodedRows;
  readonly #session: InferenceSession;
  readonly #feeds: Record<string, Tensor> = {};
  readonly #layout: FeatureLayout;

  private constructor(session: InferenceSession, layout: FeatureLayout) {
    this.#session = session;
    this.#layout = layout;
    this.rows = allocateEncodedRows(layout, SCORING_BATCH_ROWS);
    const feed = (name: string, data: Int32Array | Float32Array, width: number) => {
      if (width === 0) return;
      const dims = [SCORING_BATCH_ROWS, width];
      this.#feeds[name] =
        data instanceof Int32Array ? new Tensor('int32', data, dims) : new Tensor('float32', data, dims);
    };
    feed(SINGLE_ROWS, this.rows.singleRows, layout.singles.length);
    feed(LIST_ROWS, this.rows.listRows, layout.listWidth);
    feed(LIST_WEIGHTS, this.rows.listWeights, layout.listWidth);
    feed(DENSE, this.rows.dense, layout.denseWidth);
  }

  /** @throws Ncs4cvrError GRAPH_INVALID when onnxruntime refuses the model */
  static async create(modelBytes: Uint8Array, layout: FeatureLayout): Promise<ScoringSession> {
    return new ScoringSession(await createSession(modelBytes, { threads: 1 }), layout);
  }

  /** Scores the first `rowCount` rows of `rows`; the rest of the batch is padding. */
  async score(rowCount: number): Promise<Scores> {
    this.#clearPadding(rowCount);
    const outputs = await this.#session.run(this.#feeds);
    const take = (name: string) => (outputs[name]!.data as Float32Array).subarray(0, rowCount);
    return { pctr: take('pctr'), pcvr: take('pcvr'), pctcvr: take('pctcvr') };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  #clearPadding(rowCount: number): void {
    const { rows } = this;
    rows.singleRows.fill(0, rowCount * this.#layout.singles.length);
    rows.listRows.fill(0, rowCount * this.#layout.listWidth);
    rows.listWeights.fill(0, rowCount * this.#layout.listWidth);
    rows.dense.fill(0, rowCount * this.#layout.denseWidth);
  }
}
