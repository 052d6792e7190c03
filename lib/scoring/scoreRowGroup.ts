import { type RecordBatch, Table, tableToIPC } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORING_BATCH_ROWS, ScoringSession } from '../bundle/scoringSession.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { openShard, type ParquetShard } from '../parquet/openShard.ts';
import { readRowGroup } from '../parquet/readRowGroup.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { RowGroupRequest, ScoredRowGroup, WorkerSetup } from './scoringProtocol.ts';

/** Reads, encodes and scores row groups with a one-thread session. Keeps the last shard open. One a thread. */
export class RowGroupScorer {
  readonly #setup: WorkerSetup;
  readonly #encoder: FeatureEncoder;
  readonly #session: ScoringSession;
  #shard: ParquetShard | undefined;

  private constructor(setup: WorkerSetup, encoder: FeatureEncoder, session: ScoringSession) {
    this.#setup = setup;
    this.#encoder = encoder;
    this.#session = session;
  }

  static async create(setup: WorkerSetup): Promise<RowGroupScorer> {
    const encoder = new FeatureEncoder(setup.contract);
    // onnxruntime copies the model; it doesn't take shared memory.
    const session = await ScoringSession.create(setup.modelBytes.slice(), encoder.layout);
    return new RowGroupScorer(setup, encoder, session);
  }

  async score(request: RowGroupRequest): Promise<ScoredRowGroup> {
    const shard = await this.#open(request);
    const { contract, extraColumns } = this.#setup;
    const passedOn = [...new Set([...contract.rowKeys, ...extraColumns])];
    const inShard = new Set(shard.schema.fields.map((field) => field.name));
    const features = contract.features.map((feature) => feature.column).filter((name) => inShard.has(name));
    const columns = [...new Set([...passedOn, ...features])];
    for (const counts of this.#encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });

    const batches = await readRowGroup(shard, request.rowGroup, columns);
    const rowCount = batches.reduce((sum, batch) => sum + batch.numRows, 0);
    const pctr = new Float32Array(rowCount);
    const pcvr = new Float32Array(rowCount);
    const pctcvr = new Float32Array(rowCount);
    let at = 0;
    for (const batch of batches) {
      for (let start = 0; start < batch.numRows; start += SCORING_BATCH_ROWS) {
        const end = Math.min(batch.numRows, start + SCORING_BATCH_ROWS);
        this.#encoder.encode(batch, start, end, this.#session.rows, 0);
        const scores = await this.#session.score(end - start);
        pctr.set(scores.pctr, at);
        pcvr.set(scores.pcvr, at);
        pctcvr.set(scores.pctcvr, at);
        at += end - start;
      }
    }
    return {
      rowGroup: request.rowGroup,
      rowCount,
      columnsIpc: encodeColumns(batches, passedOn),
      pctr,
      pcvr,
      pctcvr,
      counts: this.#encoder.counts.map((counts) => ({ ...counts })),
    };
  }

  async close(): Promise<void> {
    await this.#shard?.file.close();
    await this.#session.release();
  }

  async #open({ shardUri, shardVersion }: RowGroupRequest): Promise<ParquetShard> {
    if (this.#shard?.uri === shardUri && this.#shard.version === shardVersion) return this.#shard;
    await this.#shard?.file.close();
    this.#shard = undefined;
    const file = await storageFor(shardUri).open(shardUri);
    try {
      if (file.version !== shardVersion) {
        throw new Ncs4cvrError('SHARD_CHANGED', 'the shard was replaced while it was being scored', {
          file: shardUri,
          expected: `version ${shardVersion}`,
          found: file.version,
          retryable: true,
        });
      }
      this.#shard = await openShard(file);
      return this.#shard;
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

function encodeColumns(batches: readonly RecordBatch[], columns: readonly string[]): Uint8Array {
  return tableToIPC(new Table(batches.map((batch) => batch.select([...columns]))), 'stream');
}
