import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import type { ColumnRequirement } from '../base/arrowColumns.ts';
import { columnRequirements, findColumn } from './columnRequirements.ts';
import { forEachNull, IntScratch, isValid, readIntegers } from './columnValues.ts';
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
import { type FeatureNumbers, featureNumbers } from './featureNumbers.ts';
import { createIdTable, type IdTable, MISSING_ID, UNSEEN_ID } from './idTable.ts';
import type { VocabularyFiles } from './vocabulary.ts';

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

/** A field with everything that encoding it needs. */
interface EncodableField<Field> {
  readonly field: Field;
  readonly requirement: ColumnRequirement;
  readonly counts: FeatureCounts;
  /** Absent for bucketed and numeric features. */
  readonly table: IdTable | undefined;
  /** Absent for all others. */
  readonly numbers: ((type: DataType) => FeatureNumbers) | undefined;
}

/**
 * Encodes record batches by a fitted contract, column by column on Arrow's buffers. Holds scratch memory and
 * counters: one instance per thread.
 */
export class FeatureEncoder {
  readonly layout: FeatureLayout;
  readonly counts: readonly FeatureCounts[];
  readonly #singles: readonly EncodableField<SingleField>[];
  readonly #lists: readonly EncodableField<ListField>[];
  readonly #numerics: readonly EncodableField<NumericField>[];
  readonly #integers = new IntScratch();
  #ids = new Int32Array(0);
  #numbers = new Float64Array(0);

  /**
   * @param vocabularies of the contract's tables; none for one without
   * @throws ContractError CONTRACT_NOT_FITTED, BUNDLE_VOCABULARY_INVALID
   */
  constructor(contract: FeatureContract, vocabularies: VocabularyFiles) {
    this.layout = featureLayout(contract);
    const requirements = new Map(columnRequirements(contract).map((need) => [need.column, need]));
    const tables = new Map<string, IdTable>();
    const encodableOf = <Field extends SingleField | ListField | NumericField>(
      field: Field,
    ): EncodableField<Field> => {
      const { feature, name } = field;
      const requirement = requirements.get(feature.column)!;
      const counts = { name, values: 0, missing: 0, unseen: 0 };
      if (feature.kind === 'bucketed' || feature.kind === 'numeric') {
        return { field, requirement, counts, table: undefined, numbers: featureNumbers(feature) };
      }
      const { name: tableName, definition } = tableOf(contract, feature);
      const table = tables.get(tableName) ?? createIdTable(definition, vocabularies);
      tables.set(tableName, table);
      return { field, requirement, counts, table, numbers: undefined };
    };
    this.#singles = this.layout.singles.map(encodableOf);
    this.#lists = this.layout.lists.map(encodableOf);
    this.#numerics = this.layout.numerics.map(encodableOf);
    this.counts = [...this.#singles, ...this.#lists, ...this.#numerics].map(({ counts }) => counts);
  }

  /**
   * Writes rows [start, end) of `batch` to rows [at, at + end - start) of `into`. Columns that the contract
   * doesn't require may be absent.
   * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE
   * @throws RangeError when the rows aren't in the batch or don't fit: typed arrays would drop them silently
   */
  encode(batch: RecordBatch, start: number, end: number, into: EncodedRows, at: number): void {
    if (start < 0 || start > end || end > batch.numRows || at < 0 || at + end - start > into.rowCapacity) {
      throw new RangeError(
        `rows [${start}, ${end}) of ${batch.numRows} to row ${at} on of ${into.rowCapacity} encoded rows`,
      );
    }
    this.#singles.forEach((single, index) => {
      this.#encodeSingle(single, index, findColumn(batch, single.requirement), start, end, into, at);
    });
    for (const list of this.#lists) {
      this.#encodeList(list, findColumn(batch, list.requirement), start, end, into, at);
    }
    this.#numerics.forEach((numeric, index) => {
      this.#encodeNumeric(numeric, index, findColumn(batch, numeric.requirement), start, end, into, at);
    });
  }

  #encodeSingle(
    { field, table, numbers, counts }: EncodableField<SingleField>,
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
    else if (table === undefined) this.#lookUpBuckets(numbers!(data.type), data, start, end, ids);
    else this.#lookUp(table, data, start, end, ids);

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
    { field, table, counts }: EncodableField<ListField>,
    data: Data | undefined,
    start: number,
    end: number,
    { listRows, listWeights }: EncodedRows,
    at: number,
  ): void {
    const width = this.layout.listWidth;
    const { maxLength, keep } = field.feature;
    const { rowStart } = field.table;
    const offsets = data?.valueOffsets as Int32Array | undefined;
    const child = data?.children[0];
    const childStart = offsets?.[start] ?? 0;
    const childEnd = offsets?.[end] ?? 0;
    const ids = this.#idScratch(childEnd - childStart);
    if (child !== undefined) this.#lookUp(table!, child, childStart, childEnd, ids);

    for (let row = start; row < end; row++) {
      const isPresent = data !== undefined && isValid(data, row);
      const from = isPresent ? offsets![row]! - childStart : 0;
      const until = isPresent ? offsets![row + 1]! - childStart : 0;
      const length = until - from;
      const first = (at + row - start) * width + field.position;
      let taken = 0;
      let to = first;
      for (let i = 0; i < length && taken < maxLength; i++) {
        const id = ids[keep === 'first' ? from + i : until - 1 - i]!;
        if (id === MISSING_ID) continue;
        taken++;
        if (id === UNSEEN_ID) counts.unseen++;
        else listRows[to++] = rowStart + id;
      }
      counts.values += taken;
      if (taken === 0) counts.missing++;
      const weight = 1 / (to - first);
      for (let used = first; used < to; used++) listWeights[used] = weight;
      for (; to < first + maxLength; to++) {
        listRows[to] = 0;
        listWeights[to] = 0;
      }
    }
  }

  #encodeNumeric(
    { numbers: numbersOf, counts }: EncodableField<NumericField>,
    index: number,
    data: Data | undefined,
    start: number,
    end: number,
    { dense }: EncodedRows,
    at: number,
  ): void {
    const count = end - start;
    const width = this.layout.denseWidth;
    counts.values += count;
    const column = data === undefined ? undefined : numbersOf!(data.type);
    const raw = this.#numberScratch(count);
    column?.read(data!, start, end, raw);
    for (let i = 0, to = at * width + 2 * index; i < count; i++, to += width) {
      const value = column?.transform(raw[i]!) ?? Number.NaN;
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

  #lookUpBuckets(numbers: FeatureNumbers, data: Data, start: number, end: number, ids: Int32Array): void {
    const raw = this.#numberScratch(end - start);
    numbers.read(data, start, end, raw);
    for (let i = 0; i < end - start; i++) {
      const value = raw[i]!;
      ids[i] = Number.isNaN(value) ? MISSING_ID : 1 + numbers.bucket(value);
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
