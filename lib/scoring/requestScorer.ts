import {
  type Data,
  DataType,
  Field,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
} from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { dayOfPath } from '../base/dayOfPath.ts';
import { releaseMemory } from '../base/releaseMemory.ts';
import { SCORING_BATCH_ROWS, ScoringSession } from '../bundle/scoringSession.ts';
import { needsDayOfPath } from '../features/columnRequirements.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { featureLayout } from '../features/featureLayout.ts';
import { labelColumn } from '../features/labelValues.ts';
import type { BatchPlace } from '../features/readLabels.ts';
import { UnreadableValueError } from '../features/unreadableValue.ts';
import { SharedMemory } from '../parquet/columnMemory.ts';
import { arrowField } from '../parquet/columnShape.ts';
import { type DecodeOptions, decodeRowGroups } from '../parquet/decodeRowGroups.ts';
import { ReusedMemory } from '../parquet/reusedMemory.ts';
import type { ReadRowGroupBytes } from '../parquet/rowGroupReads.ts';
import { columnOfShared, shareColumn, sharedCopy } from '../parquet/sharedColumns.ts';
import { countLabels } from '../profile/countLabels.ts';
import { ProfileCounter } from '../profile/profileCounter.ts';
import { SpanTally } from '../profile/spanTally.ts';
import { type BadRowCell, countBadRows, placeOfRow, withoutBadRows } from './badCells.ts';
import { withoutDictionary } from './gatherRows.ts';
import { joinBatches } from './joinBatches.ts';
import { type RequestedRowGroup, requestedRows } from './requestedRowGroup.ts';
import type {
  DecodedColumns,
  DecodedRowGroup,
  DecodingRequest,
  ScoredRows,
  ScoringRequest,
  WorkerSetup,
} from './scoringProtocol.ts';
import { sliceBatches } from './sliceBatches.ts';

/** Decodes, encodes and scores what a request holds, with a one-thread session. One per thread. */
export class RequestScorer {
  readonly #encoder: FeatureEncoder;
  readonly #counter: ProfileCounter;
  readonly #session: ScoringSession;
  /** Columns that come back with the scores. */
  readonly #passedOn: readonly string[];
  readonly #labels: WorkerSetup['labels'];
  readonly #rowKeys: readonly string[];
  readonly #needsDay: boolean;
  /** Columns of features and row keys, that nothing reads as labels. */
  readonly #dictionaries: ReadonlySet<string>;
  /** The row group that was scored in part last: more of its rows are likely to follow. */
  #whole: { readonly id: number; readonly batch: RecordBatch } | undefined;
  /** Of the request at hand. */
  readonly #memory = new ReusedMemory();

  private constructor(
    { contract, extraColumns, labels }: WorkerSetup,
    counter: ProfileCounter,
    encoder: FeatureEncoder,
    session: ScoringSession,
  ) {
    this.#passedOn = [...new Set([...contract.rowKeys, ...extraColumns])];
    this.#labels = labels;
    this.#rowKeys = contract.rowKeys;
    this.#needsDay = needsDayOfPath(contract);
    const read = [...contract.rowKeys, ...contract.features.map(({ column }) => column)];
    const asTheyAre = [
      ...extraColumns,
      ...(labels === undefined ? [] : [labels.click, labels.conversion].map(labelColumn)),
    ];
    this.#dictionaries = new Set(read.filter((column) => !asTheyAre.includes(column)));
    this.#encoder = encoder;
    this.#counter = counter;
    this.#session = session;
  }

  static async create(setup: WorkerSetup): Promise<RequestScorer> {
    const counter = new ProfileCounter(featureLayout(setup.contract), setup.bins);
    const encoder = new FeatureEncoder(setup.contract, setup.vocabularies, counter.bins);
    const session = await ScoringSession.create(setup.model, encoder.layout);
    return new RequestScorer(setup, counter, encoder, session);
  }

  /** Decodes some columns of a row group for all threads. @throws the error of the first column at fault */
  async decode({ rowGroup, leaveOutBadRows = false, spare }: DecodingRequest): Promise<DecodedColumns> {
    const memory = this.#memory;
    memory.reuse();
    const into = new SharedMemory(spare);
    const badCells: BadRowCell[] = [];
    const read = bytesOf([rowGroup]);
    const [batch] = decodeRowGroups(read, {
      ...{ dictionaries: this.#dictionaries, memory, into },
      batchRows: rowGroup.reads.rowCount,
      ...(leaveOutBadRows ? { onBadCell: (_, cell) => badCells.push({ rowGroup: 0, ...cell }) } : {}),
    });
    releaseBytes(read);
    const columns = batch!.schema.fields.map(({ name }, index) => {
      return [name, shareColumn(batch!.data.children[index]!, into)] as const;
    });
    const forEncoded = new SharedMemory();
    const encoded = this.#encoder.encodeDictionaries(batch!, (array) => sharedCopy(array, forEncoded));
    return { columns: new Map(columns), encoded, badCells };
  }

  /** @throws the error of the first row group at fault */
  async score(request: ScoringRequest): Promise<ScoredRows> {
    const { rowGroups, countLabels: isAsked = false, leaveOutBadRows = false, decoded } = request;
    if (decoded === undefined) this.#whole = undefined;
    const memory = this.#memory;
    memory.reuse();
    const { batches, badCells } =
      decoded === undefined
        ? this.#decode(bytesOf(rowGroups), leaveOutBadRows)
        : this.#takeRows(rowGroups[0]!, decoded, leaveOutBadRows);
    for (const counts of this.#encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });
    this.#counter.reset();
    const tally = new SpanTally(this.#encoder.counts, rowsOfSpans(rowGroups, badCells));
    const placeOf = (row: number) => placeInRequest(row, rowGroups, badCells);
    const scores = await this.#scoreBatches(batches, tally, placeOf);
    const profile = this.#counter.profile(this.#encoder.counts);
    const labels = isAsked && this.#labels ? countLabels(batches, this.#labels, scores) : undefined;
    return {
      ...scores,
      columnsIpc: encodeColumns(batches, this.#passedOn, rowGroups.length),
      profile: labels === undefined ? profile : { ...profile, labels },
      spans: tally.found,
      badCells,
    };
  }

  #decode(read: readonly ReadRowGroupBytes[], leaveOutBadRows: boolean) {
    const options = { dictionaries: this.#dictionaries, memory: this.#memory };
    if (!leaveOutBadRows) {
      const batches = decodeRowGroups(read, options);
      releaseBytes(read);
      return { batches, badCells: [] };
    }
    const undecoded: BadRowCell[] = [];
    const onBadCell: DecodeOptions['onBadCell'] = (rowGroup, cell) => {
      undecoded.push({ rowGroup: read.indexOf(rowGroup), ...cell });
    };
    const batches = decodeRowGroups(read, { ...options, onBadCell });
    releaseBytes(read);
    const rowCounts = read.map(({ reads }) => reads.rowCount);
    return withoutBadRows(batches, rowCounts, this.#rowKeys, undecoded);
  }

  /** The rows asked for, of columns that have been decoded before. */
  #takeRows(rowGroup: RequestedRowGroup, decoded: DecodedRowGroup, leaveOutBadRows: boolean) {
    const { start, end } = rowGroup.rows!;
    if (this.#whole?.id !== decoded.id) {
      this.#whole = { id: decoded.id, batch: wholeBatch(rowGroup, decoded) };
      this.#encoder.takeDictionaries(this.#whole.batch, decoded.encoded);
    }
    const batches = sliceBatches([this.#whole.batch], start, end);
    if (end === rowGroup.reads.rowCount) this.#whole = undefined;
    if (!leaveOutBadRows) return { batches, badCells: [] };
    const undecoded = decoded.badCells
      .filter(({ row }) => row >= start && row < end)
      .map((cell) => ({ ...cell, row: cell.row - start }));
    const good = withoutBadRows(batches, [end - start], this.#rowKeys, undecoded);
    return { ...good, badCells: good.badCells.map((cell) => ({ ...cell, row: cell.row + start })) };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  /** Fills the session's batch across the bounds of batches, row groups and shards: only the last one is padded. */
  async #scoreBatches(
    batches: readonly RecordBatch[],
    tally: SpanTally,
    placeOf: (row: number) => BatchPlace,
  ) {
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
      this.#counter.addScores(this.#session.rows, filledRows, scores);
      pctr.set(scores.pctr, scoredRows);
      pcvr.set(scores.pcvr, scoredRows);
      pctcvr.set(scores.pctcvr, scoredRows);
      scoredRows += filledRows;
      filledRows = 0;
    };
    for (const batch of batches) {
      for (let start = 0; start < batch.numRows; ) {
        const end = Math.min(batch.numRows, start + SCORING_BATCH_ROWS - filledRows, start + tally.rowsLeft);
        const firstRow = scoredRows + filledRows;
        const day = this.#needsDay ? dayOfPath(placeOf(firstRow).file) : undefined;
        try {
          this.#encoder.encode(batch, start, end, this.#session.rows, filledRows, day);
        } catch (error) {
          if (!(error instanceof UnreadableValueError)) throw error;
          const place = placeOf(firstRow - start + error.row);
          throw error.placed({ ...place, rowStart: place.rowStart - error.row }, 'the row group');
        }
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

/** All rows of a row group, its columns in their order. */
function wholeBatch(
  { reads: { columns, rowCount } }: RequestedRowGroup,
  decoded: DecodedRowGroup,
): RecordBatch {
  const children = columns.map(({ column }) =>
    columnOfShared(decoded.columns.get(column.name)!, arrowField(column)!.type),
  );
  const fields = columns.map(({ column }, index) => {
    return new Field(column.name, children[index]!.type as DataType, arrowField(column)!.nullable);
  });
  const type = new Struct(fields);
  return new RecordBatch(new Schema(fields), makeData({ type, length: rowCount, nullCount: 0, children }));
}

/** @param row among those of the request that are scored @returns with the row's place in the row group as `rowStart` */
function placeInRequest(
  row: number,
  rowGroups: readonly RequestedRowGroup[],
  badCells: readonly BadRowCell[],
): BatchPlace {
  const asked = rowGroups.map(({ reads, rows }) => rows ?? { start: 0, end: reads.rowCount });
  const place = placeOfRow(row, asked, badCells);
  const { uri, reads } = rowGroups[place.rowGroup]!;
  return { file: uri, rowGroup: reads.rowGroup, rowStart: place.row };
}

/** @throws RangeError where a row group came without its bytes: the pool reads them */
function bytesOf(rowGroups: readonly RequestedRowGroup[]): ReadRowGroupBytes[] {
  return rowGroups.map(({ uri, reads, buffer }) => {
    if (buffer === undefined)
      throw new RangeError(`${uri}: row group ${reads.rowGroup} came without its bytes`);
    return { uri, reads, buffer };
  });
}

/** Once they are decoded, nothing looks at them. */
function releaseBytes(read: readonly ReadRowGroupBytes[]): void {
  releaseMemory(read.map(({ buffer }) => buffer));
}

/** Rows of neighbouring row groups of one span, without those that are left out. */
function rowsOfSpans(rowGroups: readonly RequestedRowGroup[], badCells: readonly BadRowCell[]) {
  const spans: { span: number; rows: number }[] = [];
  for (const [index, rowGroup] of rowGroups.entries()) {
    const { span } = rowGroup;
    const rows = requestedRows(rowGroup) - countBadRows(badCells.filter((cell) => cell.rowGroup === index));
    const last = spans.at(-1);
    if (last?.span === span) last.rows += rows;
    else spans.push({ span, rows });
  }
  return spans;
}

/**
 * Of several row groups in one batch. Shards may differ in whether a column may be null, and a stream has one schema: the caller
 * knows the right one.
 */
function encodeColumns(
  batches: readonly RecordBatch[],
  columns: readonly string[],
  rowGroups: number,
): Uint8Array {
  const fields = columns.map((column) => fieldOf(batches[0]!, column));
  const schema = new Schema(fields);
  const type = new Struct(fields);
  const copies: Data[] = [];
  const selected = batches.map((batch) => {
    const children = columns.map((name) => {
      const column = columnOf(batch, name)!;
      const values = withoutDictionary(column);
      if (values !== column) copies.push(values);
      return values;
    });
    return new RecordBatch(schema, makeData({ type, length: batch.numRows, nullCount: 0, children }));
  });
  const encoded = tableToIPC(new Table(rowGroups > 1 ? [joinBatches(selected)] : selected), 'stream');
  releaseMemory(
    copies.flatMap(({ values, valueOffsets }) => [values, valueOffsets].filter(ArrayBuffer.isView)),
  );
  return encoded;
}

function fieldOf({ schema }: RecordBatch, column: string): Field {
  const { name, type, nullable } = schema.fields.find((field) => field.name === column)!;
  return new Field(name, DataType.isDictionary(type) ? type.dictionary : type, nullable);
}
