import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { ContractError } from '../errors.ts';
import { type ColumnRequirement, columnRequirements } from './columnRequirements.ts';
import { forEachNull, IntScratch, isValid, readIntegers, readNumbers } from './columnValues.ts';
import type { FeatureContract } from './contract.ts';
import type { EncodedRows } from './encodedRows.ts';
import {
  type FeatureLayout,
  featureLayout,
  type ListField,
  type NumericField,
  type SingleField,
  tableOf,
} from './featureLayout.ts';
import { createIdTable, type IdTable, MISSING_ID, UNSEEN_ID } from './idTable.ts';
import { bucketOf, transformNumber } from './transformNumber.ts';

/** How often a feature had no usable value; a jump between nights is the first sign of a broken shard. */
export interface FeatureCounts {
  readonly name: string;
  /** Rows (list values for a list) looked at. */
  values: number;
  /** Null, listed as a missing value, or no number; for a list: rows without any value. */
  missing: number;
  /** Values that training never saw. */
  unseen: number;
}

/**
 * Encodes record batches by a fitted contract, column by column on Arrow's buffers. Holds scratch memory and
 * counters: one instance a thread.
 */
export class FeatureEncoder {
  readonly layout: FeatureLayout;
  readonly counts: readonly FeatureCounts[];
  readonly #tables = new Map<string, IdTable>();
  readonly #tableOfField = new Map<SingleField | ListField, IdTable>();
  readonly #requirements: ReadonlyMap<string, ColumnRequirement>;
  readonly #countsByName = new Map<string, FeatureCounts>();
  readonly #integers = new IntScratch();
  #ids = new Int32Array(0);
  #numbers = new Float64Array(0);

  /** @throws ContractError CONTRACT_NOT_FITTED */
  constructor(contract: FeatureContract) {
    this.layout = featureLayout(contract);
    this.#requirements = new Map(columnRequirements(contract).map((need) => [need.column, need]));
    const { singles, lists, numerics } = this.layout;
    for (const field of [...singles, ...lists]) {
      if (field.feature.kind === 'bucketed') continue;
      const { name, definition } = tableOf(contract, field.feature);
      const table = this.#tables.get(name) ?? createIdTable(definition, field.feature.column);
      this.#tables.set(name, table);
      this.#tableOfField.set(field, table);
    }
    this.counts = [...singles, ...lists, ...numerics].map(({ name }) => ({
      name,
      values: 0,
      missing: 0,
      unseen: 0,
    }));
    for (const counts of this.counts) this.#countsByName.set(counts.name, counts);
  }

  /**
   * Writes rows [start, end) of `batch` to rows [at, at + end - start) of `into`. Columns that the contract
   * doesn't require may be absent.
   * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE
   */
  encode(batch: RecordBatch, start: number, end: number, into: EncodedRows, at: number): void {
    this.layout.singles.forEach((field, index) => {
      this.#encodeSingle(field, index, this.#column(batch, field.feature.column), start, end, into, at);
    });
    for (const field of this.layout.lists) {
      this.#encodeList(field, this.#column(batch, field.feature.column), start, end, into, at);
    }
    this.layout.numerics.forEach((field, index) => {
      this.#encodeNumeric(field, index, this.#column(batch, field.feature.column), start, end, into, at);
    });
  }

  #column(batch: RecordBatch, column: string): Data | undefined {
    const index = batch.schema.fields.findIndex((field) => field.name === column);
    const requirement = this.#requirements.get(column)!;
    const data = batch.data.children[index];
    if (data === undefined) {
      if (!requirement.required) return undefined;
      throw new ContractError('CONTRACT_COLUMN_MISSING', 'the batch lacks a required column', { column });
    }
    if (!requirement.accepts(data.type)) {
      throw new ContractError('CONTRACT_COLUMN_TYPE', 'the column has another type than the contract', {
        column,
        expected: requirement.expected,
        found: String(data.type),
      });
    }
    return data;
  }

  #encodeSingle(
    field: SingleField,
    index: number,
    data: Data | undefined,
    start: number,
    end: number,
    { singleRows }: EncodedRows,
    at: number,
  ): void {
    const count = end - start;
    const width = this.layout.singles.length;
    const ids = this.#idScratch(count);
    if (data === undefined) ids.fill(MISSING_ID, 0, count);
    else if (field.feature.kind === 'bucketed') this.#lookUpBuckets(field, data, start, end, ids);
    else this.#lookUp(this.#tableOfField.get(field)!, data, start, end, ids);

    const counts = this.#countsByName.get(field.name)!;
    counts.values += count;
    const { rowStart } = field.table;
    for (let i = 0, to = at * width + index; i < count; i++, to += width) {
      const id = ids[i]!;
      if (id > 0) {
        singleRows[to] = rowStart + id;
        continue;
      }
      if (id === MISSING_ID) counts.missing++;
      else counts.unseen++;
      singleRows[to] = rowStart;
    }
  }

  #encodeList(
    field: ListField,
    data: Data | undefined,
    start: number,
    end: number,
    { listRows, listWeights }: EncodedRows,
    at: number,
  ): void {
    const counts = this.#countsByName.get(field.name)!;
    const width = this.layout.listWidth;
    const { maxLength, keep } = field.feature;
    const offsets = data?.valueOffsets as Int32Array | undefined;
    const child = data?.children[0];
    const childStart = offsets?.[start] ?? 0;
    const childEnd = offsets?.[end] ?? 0;
    const ids = this.#idScratch(childEnd - childStart);
    if (child !== undefined) this.#lookUp(this.#tableOfField.get(field)!, child, childStart, childEnd, ids);

    for (let row = start; row < end; row++) {
      const to = (at + row - start) * width + field.position;
      listRows.fill(0, to, to + maxLength);
      listWeights.fill(0, to, to + maxLength);
      const isPresent = data !== undefined && isValid(data, row);
      const from = isPresent ? offsets![row]! - childStart : 0;
      const until = isPresent ? offsets![row + 1]! - childStart : 0;
      const step = keep === 'first' ? 1 : -1;
      let taken = 0;
      let known = 0;
      for (
        let at = keep === 'first' ? from : until - 1;
        at >= from && at < until && taken < maxLength;
        at += step
      ) {
        const id = ids[at]!;
        if (id === MISSING_ID) continue;
        taken++;
        if (id === UNSEEN_ID) counts.unseen++;
        else listRows[to + known++] = field.table.rowStart + id;
      }
      counts.values += taken;
      if (taken === 0) counts.missing++;
      if (known > 0) listWeights.fill(1 / known, to, to + known);
    }
  }

  #encodeNumeric(
    field: NumericField,
    index: number,
    data: Data | undefined,
    start: number,
    end: number,
    { dense }: EncodedRows,
    at: number,
  ): void {
    const count = end - start;
    const width = this.layout.denseWidth;
    const counts = this.#countsByName.get(field.name)!;
    counts.values += count;
    const numbers = this.#numberScratch(count);
    if (data === undefined) numbers.fill(Number.NaN, 0, count);
    else readNumbers(data, start, end, numbers);
    for (let i = 0, to = at * width + 2 * index; i < count; i++, to += width) {
      const value = transformNumber(field.feature, numbers[i]!);
      const isMissing = Number.isNaN(value);
      if (isMissing) counts.missing++;
      dense[to] = isMissing ? 0 : value;
      dense[to + 1] = isMissing ? 1 : 0;
    }
  }

  /** Local ids of rows [start, end) of a column of single values. */
  #lookUp(table: IdTable, data: Data, start: number, end: number, ids: Int32Array): void {
    const count = end - start;
    if (DataType.isNull(data.type)) {
      ids.fill(MISSING_ID, 0, count);
      return;
    }
    if (table.type === 'int') {
      readIntegers(data, start, end, this.#integers);
      table.lookUpIntegers(this.#integers, count, ids);
    } else {
      table.lookUpStrings(data.values as Uint8Array, data.valueOffsets as Int32Array, start, count, ids);
    }
    forEachNull(data, start, end, (row) => {
      ids[row - start] = MISSING_ID;
    });
  }

  #lookUpBuckets(field: SingleField, data: Data, start: number, end: number, ids: Int32Array): void {
    const { feature } = field;
    if (feature.kind !== 'bucketed') return;
    const numbers = this.#numberScratch(end - start);
    readNumbers(data, start, end, numbers);
    const boundaries = feature.fitted!.boundaries;
    for (let i = 0; i < end - start; i++) {
      const value = numbers[i]!;
      const isMissing = Number.isNaN(value) || feature.missingValues.includes(value);
      ids[i] = isMissing ? MISSING_ID : 1 + bucketOf(boundaries, value);
    }
  }

  #idScratch(count: number): Int32Array {
    if (this.#ids.length < count) this.#ids = new Int32Array(count);
    return this.#ids;
  }

  #numberScratch(count: number): Float64Array {
    if (this.#numbers.length < count) this.#numbers = new Float64Array(count);
    return this.#numbers;
  }
}
