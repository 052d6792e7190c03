import type { InferenceSession } from 'onnxruntime-node';
import { Tensor } from 'onnxruntime-node';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { createSession, float32Tensor } from '../onnx/session.ts';
import { BatchGatherer } from './batchGatherer.ts';
import { DirectFeed, isDirect } from './directInput.ts';
import { type EmbeddingTable, sharedTables } from './embeddingTable.ts';
import { type GatherPlan, type InputPlan, isDirectPlan } from './gatherPlan.ts';
import { OWN_OUTPUTS } from './modelInterface.ts';

/**
 * Rows of every session run. Always the same shape, so that a row's score has the same bits whatever rows stand
 * beside it: matrix kernels choose their path by shape. 512 is where onnxruntime is fastest on one core.
 */
export const SCORING_BATCH_ROWS = 512;

/** All that a session scores with, as plain data: where its arrays lie in shared memory, other threads get no copy. */
export interface ScoringModel {
  /** model.onnx: everything but the embeddings; of an own model, everything. */
  readonly modelBytes: Uint8Array;
  /** What is gathered in front of it. */
  readonly inputs: InputPlan;
  /** Those of the contract's layout, in its order; an own model has none. */
  readonly tables: readonly EmbeddingTable[];
}

/** A model that was trained here: embeddings are gathered for it. */
export interface GatheredModel extends ScoringModel {
  readonly inputs: GatherPlan;
}

/**
 * The model of a bundle that was trained here.
 * @throws Ncs4cvrError EXPORT_NOT_TRAINED for an own model, which is one ONNX file already
 */
export function gatheredModel({ inputs, ...model }: ScoringModel, bundleUri: string): GatheredModel {
  if (!isDirectPlan(inputs)) return { ...model, inputs };
  throw new Ncs4cvrError(
    'EXPORT_NOT_TRAINED',
    'a model that was made elsewhere is exported where it was made',
    {
      file: bundleUri,
      expected: 'a bundle as it was trained',
      found: 'one that was made of an ONNX file',
    },
  );
}

/** The model with all of its arrays in shared memory; those that are there already stay. */
export function sharedModel({ modelBytes, inputs, tables }: ScoringModel): ScoringModel {
  return { inputs, modelBytes: sharedBytes(modelBytes), tables: sharedTables(tables) };
}

function sharedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** Scores of a batch, each float32 [rows]; valid until the next call. */
export interface Scores {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
  readonly pctcvr: Float32Array;
}

/** A model.onnx with a batch buffer of fixed shape, and what is gathered for it. One instance per thread. */
export class ScoringSession {
  /** Encode up to SCORING_BATCH_ROWS rows here, then call `score`. */
  readonly rows: EncodedRows;
  readonly #session: InferenceSession;
  /** Of a model that was trained here. */
  readonly #gatherer: BatchGatherer | undefined;
  readonly #directFeeds: readonly DirectFeed[];
  readonly #feeds: Readonly<Record<string, Tensor>>;
  /** pCTCVR of an own model, which doesn't say it. */
  readonly #product: Float32Array | undefined;

  private constructor(session: InferenceSession, { inputs, tables }: ScoringModel, layout: FeatureLayout) {
    this.#session = session;
    this.#gatherer = isDirectPlan(inputs)
      ? undefined
      : new BatchGatherer(inputs, layout, tables, SCORING_BATCH_ROWS);
    this.rows = this.#gatherer?.rows ?? allocateEncodedRows(layout, SCORING_BATCH_ROWS);
    const direct = inputs
      .filter(isDirect)
      .map((input) => ({ input, feed: new DirectFeed(input, layout, this.rows) }));
    this.#directFeeds = direct.map(({ feed }) => feed);
    this.#feeds = Object.fromEntries([
      ...(this.#gatherer?.inputs ?? []).map(({ name, data, width }) => {
        return [name, float32Tensor(data, [SCORING_BATCH_ROWS, width])] as const;
      }),
      ...direct.map(({ input, feed }) => {
        return [input.name, new Tensor(input.elementType, feed.data, feed.dims)] as const;
      }),
    ]);
    this.#product = isDirectPlan(inputs) ? new Float32Array(SCORING_BATCH_ROWS) : undefined;
  }

  /**
   * @param model whose inputs and tables fit the layout, as verifyModel checks
   * @throws Ncs4cvrError GRAPH_INVALID when onnxruntime refuses the model
   */
  static async create(model: ScoringModel, layout: FeatureLayout): Promise<ScoringSession> {
    // onnxruntime doesn't take shared memory. It copies the weights: the slice is garbage afterwards.
    const session = await createSession(model.modelBytes.slice(), { threads: 1 });
    return new ScoringSession(session, model, layout);
  }

  /** The part of `score` in front of the graph. @internal exported for benchmarks */
  gather(rowCount: number): void {
    this.#gatherer?.gather(rowCount);
    for (const feed of this.#directFeeds) feed.gather(rowCount);
  }

  /**
   * Scores the first `rowCount` rows of `rows`; the rest of the batch is padding.
   * @throws Ncs4cvrError METRIC_SCORE_INVALID when an own model gives anything but probabilities
   */
  async score(rowCount: number): Promise<Scores> {
    this.gather(rowCount);
    const product = this.#product;
    const outputs = await this.#session.run(this.#feeds, product === undefined ? SCORE_NAMES : OWN_OUTPUTS);
    const take = (name: string) => (outputs[name]!.data as Float32Array).subarray(0, rowCount);
    const pctr = take('pctr');
    const pcvr = take('pcvr');
    if (product === undefined) return { pctr, pcvr, pctcvr: take('pctcvr') };
    for (const name of OWN_OUTPUTS) refuseOthers(name, outputs[name]!, rowCount);
    for (let row = 0; row < rowCount; row++) product[row] = pctr[row]! * pcvr[row]!;
    return { pctr, pcvr, pctcvr: product.subarray(0, rowCount) };
  }

  /** Neither the session nor `rows` may be used afterwards. */
  async release(): Promise<void> {
    this.#gatherer?.release();
    await this.#session.release();
  }
}

/** Of an own model nothing but its file is known. @throws Ncs4cvrError METRIC_SCORE_INVALID */
function refuseOthers(name: string, { data, type }: Tensor, rowCount: number): void {
  const found =
    !(data instanceof Float32Array) || data.length !== SCORING_BATCH_ROWS
      ? `${data.length} of ${type}`
      : data.subarray(0, rowCount).find((score) => !(score >= 0 && score <= 1));
  if (found === undefined) return;
  throw new Ncs4cvrError('METRIC_SCORE_INVALID', `the model's output '${name}' is no probability`, {
    expected: `${SCORING_BATCH_ROWS} float32 from 0 to 1`,
    found: String(found),
  });
}
