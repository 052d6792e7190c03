import { DataType, Field, makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { SCORING_BATCH_ROWS, ScoringSession } from '../bundle/scoringSession.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { type DecodeOptions, decodeRowGroups } from '../parquet/decodeRowGroups.ts';
import { readRanges } from '../parquet/readRowGroup.ts';
import { ReusedMemory } from '../parquet/reusedMemory.ts';
import type { ReadRowGroupBytes } from '../parquet/rowGroupReads.ts';
import { countLabels } from '../profile/countLabels.ts';
import { ProfileCounter } from '../profile/profileCounter.ts';
import { SpanTally } from '../profile/spanTally.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type BadRowCell, countBadRows, withoutBadRows } from './badCells.ts';
import { withoutDictionary } from './gatherRows.ts';
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
  /** Columns of features and row keys, that nothing reads as labels. */
  readonly #dictionaries: ReadonlySet<string>;
  /** Of the request at hand. */
  readonly #memory = new ReusedMemory();

  private constructor(
    { contract, extraColumns, bins, labels }: WorkerSetup,
    encoder: FeatureEncoder,
    session: ScoringSession,
  ) {
    this.#passedOn = [...new Set([...contract.rowKeys, ...extraColumns])];
    this.#labels = labels;
    this.#rowKeys = contract.rowKeys;
    const read = [...contract.rowKeys, ...contract.features.map(({ column }) => column)];
    const asTheyAre = [...extraColumns, labels?.click, labels?.conversion];
    this.#dictionaries = new Set(read.filter((column) => !asTheyAre.includes(column)));
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
    const memory = this.#memory;
    memory.reuse();
    const { batches, badCells } = this.#decode(await readAll(rowGroups, memory), leaveOutBadRows);
    for (const counts of this.#encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });
    this.#counter.reset();
    const tally = new SpanTally(this.#encoder.counts, rowsOfSpans(rowGroups, badCells));
    const scores = await this.#scoreBatches(batches, tally);
    const profile = this.#counter.profile(this.#encoder.counts);
    const labels = isAsked && this.#labels ? countLabels(batches, this.#labels, scores) : undefined;
    return {
      ...scores,
      columnsIpc: encodeColumns(batches, this.#passedOn),
      profile: labels === undefined ? profile : { ...profile, labels },
      spans: tally.found,
      badCells,
    };
  }

  #decode(read: readonly ReadRowGroupBytes[], leaveOutBadRows: boolean) {
    const options = { dictionaries: this.#dictionaries, memory: this.#memory };
    if (!leaveOutBadRows) return { batches: decodeRowGroups(read, options), badCells: [] };
    const undecoded: BadRowCell[] = [];
    const onBadCell: DecodeOptions['onBadCell'] = (rowGroup, cell) => {
      undecoded.push({ rowGroup: read.indexOf(rowGroup), ...cell });
    };
    const batches = decodeRowGroups(read, { ...options, onBadCell });
    const rowCounts = read.map(({ reads }) => reads.rowCount);
    return withoutBadRows(batches, rowCounts, this.#rowKeys, undecoded);
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  /** Fills the session's batch across the bounds of batches, row groups and shards: only the last one is padded. */
  async #scoreBatches(batches: readonly RecordBatch[], tally: SpanTally) {
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
        const end = Math.min(batch.numRows, start + SCORING_BATCH_ROWS - filledRows, start + tally.rowsLeft);
        this.#encoder.encode(batch, start, end, this.#session.rows, filledRows);
        tally.encoded(end - start);
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
async function readAll(
  rowGroups: readonly RequestedRowGroup[],
  memory: ReusedMemory,
): Promise<ReadRowGroupBytes[]> {
  const read = rowGroups.map(async ({ uri, sizeBytes, version, reads, buffer }) => {
    if (buffer !== undefined) return { uri, reads, buffer };
    const file = await storageFor(uri).open(uri, { sizeBytes, version });
    try {
      return { uri, reads, buffer: await readRanges(file, reads, memory) };
    } finally {
      await file.close();
    }
  });
  return (await Promise.allSettled(read)).map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Rows of neighbouring row groups of one span, without those that are left out. */
function rowsOfSpans(rowGroups: readonly RequestedRowGroup[], badCells: readonly BadRowCell[]) {
  const spans: { span: number; rows: number }[] = [];
  for (const [index, { span, reads }] of rowGroups.entries()) {
    const rows = reads.rowCount - countBadRows(badCells.filter(({ rowGroup }) => rowGroup === index));
    const last = spans.at(-1);
    if (last?.span === span) last.rows += rows;
    else spans.push({ span, rows });
  }
  return spans;
}

/** Shards may differ in whether a column may be null, and a stream has one schema: the caller knows the right one. */
function encodeColumns(batches: readonly RecordBatch[], columns: readonly string[]): Uint8Array {
  const fields = columns.map((column) => fieldOf(batches[0]!, column));
  const schema = new Schema(fields);
  const type = new Struct(fields);
  const selected = batches.map((batch) => {
    const children = columns.map((column) => withoutDictionary(columnOf(batch, column)!));
    return new RecordBatch(schema, makeData({ type, length: batch.numRows, nullCount: 0, children }));
  });
  return tableToIPC(new Table(selected), 'stream');
}

function fieldOf({ schema }: RecordBatch, column: string): Field {
  const { name, type, nullable } = schema.fields.find((field) => field.name === column)!;
  return new Field(name, DataType.isDictionary(type) ? type.dictionary : type, nullable);
}
