import type { InferenceSession } from 'onnxruntime-node';
import { Tensor } from 'onnxruntime-node';
import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { createSession } from '../onnx/session.ts';
import type { EmbeddingTable, TableRows } from './embeddingTable.ts';
import type { GatherPlan } from './gatherPlan.ts';
import { InputGatherer } from './inputGatherer.ts';

/**
 * Rows of every session run. Always the same shape, so that a row's score has the same bits whatever rows stand
 * beside it: matrix kernels choose their path by shape. 512 is where onnxruntime is fastest on one core.
 */
export const SCORING_BATCH_ROWS = 512;

/** All that a session scores with, as plain data: where its arrays lie in shared memory, other threads get no copy. */
export interface ScoringModel {
  /** model.onnx: everything but the embeddings. */
  readonly modelBytes: Uint8Array;
  /** What is gathered in front of it. */
  readonly inputs: GatherPlan;
  /** Those of the contract's layout, in its order. */
  readonly tables: readonly EmbeddingTable[];
}

/** The model with all of its arrays in shared memory; those that are there already stay. */
export function sharedModel({ modelBytes, inputs, tables }: ScoringModel): ScoringModel {
  return {
    inputs,
    modelBytes: shared(modelBytes, Uint8Array),
    tables: tables.map((table) => ({
      ...table,
      rows: sharedRows(table.rows),
      ...(table.scales && { scales: shared(table.scales, Float32Array) }),
    })),
  };
}

function sharedRows(rows: TableRows): TableRows {
  if (rows instanceof Float32Array) return shared(rows, Float32Array);
  return rows instanceof Uint16Array ? shared(rows, Uint16Array) : shared(rows, Int8Array);
}

function shared<T extends Uint8Array | TableRows>(array: T, type: new (memory: SharedArrayBuffer) => T): T {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  const copy = new type(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
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
  readonly #gatherers: readonly InputGatherer[];
  readonly #feeds: Readonly<Record<string, Tensor>>;

  private constructor(session: InferenceSession, { inputs, tables }: ScoringModel, layout: FeatureLayout) {
    this.#session = session;
    this.rows = allocateEncodedRows(layout, SCORING_BATCH_ROWS);
    this.#gatherers = inputs.map((input) => new InputGatherer(input, layout, tables, this.rows));
    this.#feeds = Object.fromEntries(
      this.#gatherers.map(({ data, width }, i) => [
        inputs[i]!.name,
        new Tensor('float32', data, [SCORING_BATCH_ROWS, width]),
      ]),
    );
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

  /** Scores the first `rowCount` rows of `rows`; the rest of the batch is padding. */
  async score(rowCount: number): Promise<Scores> {
    for (const gatherer of this.#gatherers) gatherer.gather(rowCount);
    const outputs = await this.#session.run(this.#feeds);
    const take = (name: string) => (outputs[name]!.data as Float32Array).subarray(0, rowCount);
    return { pctr: take('pctr'), pcvr: take('pcvr'), pctcvr: take('pctcvr') };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
