import { RecordBatch, Table, tableToIPC } from 'apache-arrow';
import { SCORING_BATCH_ROWS, ScoringSession } from '../bundle/scoringSession.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { decodeRowGroups, type ReadRowGroupBytes } from '../parquet/decodeRowGroups.ts';
import { readRanges } from '../parquet/readRowGroup.ts';
import { countLabels } from '../profile/countLabels.ts';
import { ProfileCounter } from '../profile/profileCounter.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type BadRowCell, withoutBadRows } from './badCells.ts';
import type { RequestedRowGroup, ScoredRows, ScoringRequest, WorkerSetup } from './scoringProtocol.ts';

/** Reads, decodes, encodes and scores what a request holds, with a one-thread session. One per thread. */
export class RequestScorer {
  readonly #encoder: FeatureEncoder;
  readonly #counter: ProfileCounter;
  readonly #session: ScoringSession;
  /** Columns that come back with the scores. */
  readonly #passedOn: readonly string[];
  readonly #labels: WorkerSetup['labels'];
  readonly #rowKeys: readonly string[];

  private constructor(
    { contract, extraColumns, bins, labels }: WorkerSetup,
    encoder: FeatureEncoder,
    session: ScoringSession,
  ) {
    this.#passedOn = [...new Set([...contract.rowKeys, ...extraColumns])];
    this.#labels = labels;
    this.#rowKeys = contract.rowKeys;
    this.#encoder = encoder;
    this.#counter = new ProfileCounter(encoder.layout, bins);
    this.#session = session;
  }

  static async create(setup: WorkerSetup): Promise<RequestScorer> {
    const encoder = new FeatureEncoder(setup.contract, setup.vocabularies);
    const session = await ScoringSession.create(setup.model, encoder.layout);
    return new RequestScorer(setup, encoder, session);
  }

  /** @throws the error of the first row group at fault */
  async score({
    rowGroups,
    countLabels: isAsked = false,
    leaveOutBadRows = false,
  }: ScoringRequest): Promise<ScoredRows> {
    const { batches, badCells } = this.#decode(await readAll(rowGroups), leaveOutBadRows);
    for (const counts of this.#encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });
    this.#counter.reset();
    const scores = await this.#scoreBatches(batches);
    const profile = this.#counter.profile(this.#encoder.counts);
    const labels = isAsked && this.#labels ? countLabels(batches, this.#labels, scores) : undefined;
    return {
      ...scores,
      columnsIpc: encodeColumns(batches, this.#passedOn),
      profile: labels === undefined ? profile : { ...profile, labels },
      badCells,
    };
  }

  #decode(read: readonly ReadRowGroupBytes[], leaveOutBadRows: boolean) {
    if (!leaveOutBadRows) return { batches: decodeRowGroups(read), badCells: [] };
    const undecoded: BadRowCell[] = [];
    const batches = decodeRowGroups(read, undefined, (rowGroup, cell) => {
      undecoded.push({ rowGroup: read.indexOf(rowGroup), ...cell });
    });
    const rowCounts = read.map(({ reads }) => reads.rowCount);
    return withoutBadRows(batches, rowCounts, this.#rowKeys, undecoded);
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  /** Fills the session's batch across the bounds of batches, row groups and shards: only the last one is padded. */
  async #scoreBatches(batches: readonly RecordBatch[]) {
    const rowCount = batches.reduce((sum, batch) => sum + batch.numRows, 0);
    const [pctr, pcvr, pctcvr] = [0, 1, 2].map(() => new Float32Array(rowCount)) as [
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
    ];
    let scoredRows = 0;
    let filledRows = 0;
    const scoreFilled = async () => {
      const scores = await this.#session.score(filledRows);
      this.#counter.add(this.#session.rows, filledRows, scores);
      pctr.set(scores.pctr, scoredRows);
      pcvr.set(scores.pcvr, scoredRows);
      pctcvr.set(scores.pctcvr, scoredRows);
      scoredRows += filledRows;
      filledRows = 0;
    };
    for (const batch of batches) {
      for (let start = 0; start < batch.numRows; ) {
        const end = Math.min(batch.numRows, start + SCORING_BATCH_ROWS - filledRows);
        this.#encoder.encode(batch, start, end, this.#session.rows, filledRows);
        filledRows += end - start;
        start = end;
        if (filledRows === SCORING_BATCH_ROWS) await scoreFilled();
      }
    }
    if (filledRows > 0) await scoreFilled();
    return { rowCount, pctr, pcvr, pctcvr };
  }
}

/** All at a time: a request holds few and small row groups, or one. */
async function readAll(rowGroups: readonly RequestedRowGroup[]): Promise<ReadRowGroupBytes[]> {
  const read = rowGroups.map(async ({ uri, sizeBytes, version, reads, buffer }) => {
    if (buffer !== undefined) return { uri, reads, buffer };
    const file = await storageFor(uri).open(uri, { sizeBytes, version });
    try {
      return { uri, reads, buffer: await readRanges(file, reads) };
    } finally {
      await file.close();
    }
  });
  return (await Promise.allSettled(read)).map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Shards may differ in whether a column may be null, and a stream has one schema: the caller knows the right one. */
function encodeColumns(batches: readonly RecordBatch[], columns: readonly string[]): Uint8Array {
  const selected = batches.map((batch) => batch.select([...columns]));
  const schema = selected[0]!.schema;
  return tableToIPC(new Table(selected.map(({ data }) => new RecordBatch(schema, data))), 'stream');
}
