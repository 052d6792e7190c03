import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { dictionaryOf } from '../base/arrowColumns.ts';
import { columnRequirements } from './columnRequirements.ts';
import { forEachNull, IntScratch, isValid, readIntegers } from './columnValues.ts';
import type { FeatureContract } from './contract.ts';
import type { EncodedRows } from './encodedRows.ts';
import { FeatureColumn } from './featureColumn.ts';
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
  readonly column: FeatureColumn;
  readonly counts: FeatureCounts;
  /** Absent for bucketed and numeric features. */
  readonly table: IdTable | undefined;
  /** Absent for all others. */
  readonly numbers: ((type: DataType) => FeatureNumbers) | undefined;
  /** Of the dictionary that was met last: batch after batch has the same one. */
  readonly known: KnownDictionary;
}

/** The id of row i is `ids[places[from + i]]`. */
interface PlacedIds {
  readonly ids: Int32Array;
  readonly places: Int32Array;
  readonly from: number;
}

/** What a field makes of the values of a dictionary. */
interface KnownDictionary {
  values: Data | undefined;
  /** Local ids; of fields with ids. */
  ids: Int32Array;
  /** Dense inputs, NaN for missing ones; of numeric features. */
  inputs: Float64Array;
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
  /** 0, 1, 2 and so on. */
  #inOrder = new Int32Array(0);
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
      const column = new FeatureColumn(contract, feature, requirements.get(feature.column));
      const counts = { name, values: 0, missing: 0, unseen: 0 };
      const known = { values: undefined, ids: new Int32Array(0), inputs: new Float64Array(0) };
      if (feature.kind === 'bucketed' || feature.kind === 'numeric') {
        return { field, column, counts, known, table: undefined, numbers: featureNumbers(feature) };
      }
      const { name: tableName, definition } = tableOf(contract, feature);
      const table = tables.get(tableName) ?? createIdTable(definition, vocabularies);
      tables.set(tableName, table);
      return { field, column, counts, known, table, numbers: undefined };
    };
    this.#singles = this.layout.singles.map(encodableOf);
    this.#lists = this.layout.lists.map(encodableOf);
    this.#numerics = this.layout.numerics.map(encodableOf);
    this.counts = [...this.#singles, ...this.#lists, ...this.#numerics].map(({ counts }) => counts);
  }

  /**
   * Writes rows [start, end) of `batch` to rows [at, at + end - start) of `into`. Columns that the contract
   * doesn't require may be absent.
   * @param day as in FeatureColumn.of
   * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE, SHARD_DAY_UNKNOWN; UnreadableValueError
   * @throws RangeError when the rows aren't in the batch or don't fit: typed arrays would drop them silently
   */
  encode(batch: RecordBatch, start: number, end: number, into: EncodedRows, at: number, day?: number): void {
    if (start < 0 || start > end || end > batch.numRows || at < 0 || at + end - start > into.rowCapacity) {
      throw new RangeError(
        `rows [${start}, ${end}) of ${batch.numRows} to row ${at} on of ${into.rowCapacity} encoded rows`,
      );
    }
    this.#singles.forEach((single, index) => {
      this.#encodeSingle(single, index, single.column.of(batch, day), start, end, into, at);
    });
    for (const list of this.#lists) {
      this.#encodeList(list, list.column.of(batch, day), start, end, into, at);
    }
    this.#numerics.forEach((numeric, index) => {
      this.#encodeNumeric(numeric, index, numeric.column.of(batch, day), start, end, into, at);
    });
  }

  #encodeSingle(
    single: EncodableField<SingleField>,
    index: number,
    data: Data | undefined,
    start: number,
    end: number,
    { singleRows }: EncodedRows,
    at: number,
  ): void {
    const { field, counts } = single;
    const count = end - start;
    const width = this.layout.singles.length;
    const { rowStart } = field.table;
    const { ids, places, from } = this.#idsOf(single, data, start, end);
    let missing = 0;
    let unseen = 0;
    for (let place = from, to = at * width + index; place < from + count; place++, to += width) {
      const id = ids[places[place]!]!;
      if (id > 0) {
        singleRows[to] = rowStart + id;
        continue;
      }
      if (id === MISSING_ID) missing++;
      else unseen++;
      singleRows[to] = rowStart;
    }
    counts.values += count;
    counts.missing += missing;
    counts.unseen += unseen;
  }

  #encodeList(
    list: EncodableField<ListField>,
    data: Data | undefined,
    start: number,
    end: number,
    { listRows, listWeights }: EncodedRows,
    at: number,
  ): void {
    const { field, counts } = list;
    const width = this.layout.listWidth;
    const { maxLength, keep } = field.feature;
    const { rowStart } = field.table;
    const offsets = data?.valueOffsets as Int32Array | undefined;
    const childStart = offsets?.[start] ?? 0;
    const { ids, places, from } = this.#idsOf(list, data?.children[0], childStart, offsets?.[end] ?? 0);
    // Of an element's place among the list's in `places`.
    const shift = from - childStart;
    const step = keep === 'first' ? 1 : -1;
    const hasNulls = data !== undefined && data.nullCount !== 0;
    let values = 0;
    let missing = 0;
    let unseen = 0;
    for (let row = start, first = at * width + field.position; row < end; row++, first += width) {
      const isPresent = data !== undefined && (!hasNulls || isValid(data, row));
      const listStart = isPresent ? offsets![row]! + shift : 0;
      const listEnd = isPresent ? offsets![row + 1]! + shift : 0;
      let taken = 0;
      let to = first;
      let place = step === 1 ? listStart : listEnd - 1;
      for (let left = listEnd - listStart; left > 0 && taken < maxLength; left--, place += step) {
        const id = ids[places[place]!]!;
        if (id > 0) {
          listRows[to++] = rowStart + id;
          taken++;
        } else if (id === UNSEEN_ID) {
          unseen++;
          taken++;
        }
      }
      values += taken;
      if (taken === 0) missing++;
      const weight = 1 / (to - first);
      for (let used = first; used < to; used++) listWeights[used] = weight;
      for (; to < first + maxLength; to++) {
        listRows[to] = 0;
        listWeights[to] = 0;
      }
    }
    counts.values += values;
    counts.missing += missing;
    counts.unseen += unseen;
  }

  #encodeNumeric(
    numeric: EncodableField<NumericField>,
    index: number,
    data: Data | undefined,
    start: number,
    end: number,
    { dense }: EncodedRows,
    at: number,
  ): void {
    const { counts } = numeric;
    const count = end - start;
    const width = this.layout.denseWidth;
    counts.values += count;
    const inputs = this.#numberScratch(count);
    if (data === undefined) inputs.fill(Number.NaN, 0, count);
    else this.#findInputs(numeric, data, start, end, inputs);
    for (let i = 0, to = at * width + 2 * index; i < count; i++, to += width) {
      const value = inputs[i]!;
      const isMissing = Number.isNaN(value);
      if (isMissing) counts.missing++;
      dense[to] = isMissing ? 0 : value;
      dense[to + 1] = isMissing ? 1 : 0;
    }
  }

  /** Local ids of rows [start, end) of a column; all missing where there is none. */
  #idsOf(
    field: EncodableField<SingleField | ListField>,
    data: Data | undefined,
    start: number,
    end: number,
  ): PlacedIds {
    const values = data && dictionaryOf(data);
    if (data === undefined || values === undefined) {
      const ids = this.#idScratch(end - start);
      if (data === undefined) ids.fill(MISSING_ID, 0, end - start);
      else this.#lookUpIds(field, data, start, end, ids);
      return { ids, places: this.#inOrder, from: 0 };
    }
    const { known } = field;
    if (known.values !== values) {
      if (known.ids.length < values.length) known.ids = new Int32Array(values.length);
      this.#lookUpIds(field, values, 0, values.length, known.ids);
      known.values = values;
    }
    const places = data.values as Int32Array;
    if (data.nullCount === 0) return { ids: known.ids, places, from: start };
    const ids = this.#idScratch(end - start);
    for (let row = start; row < end; row++) {
      ids[row - start] = isValid(data, row) ? known.ids[places[row]!]! : MISSING_ID;
    }
    return { ids, places: this.#inOrder, from: 0 };
  }

  #lookUpIds(
    { table, numbers }: EncodableField<SingleField | ListField>,
    data: Data,
    start: number,
    end: number,
    ids: Int32Array,
  ): void {
    if (table === undefined) this.#lookUpBuckets(numbers!(data.type), data, start, end, ids);
    else this.#lookUp(table, data, start, end, ids);
  }

  /** Dense inputs of rows [start, end), NaN for missing ones. */
  #findInputs(
    { known, numbers }: EncodableField<NumericField>,
    data: Data,
    start: number,
    end: number,
    inputs: Float64Array,
  ): void {
    const values = dictionaryOf(data);
    if (values === undefined) {
      readInputs(numbers!(data.type), data, start, end, inputs);
      return;
    }
    if (known.values !== values) {
      if (known.inputs.length < values.length) known.inputs = new Float64Array(values.length);
      readInputs(numbers!(values.type), values, 0, values.length, known.inputs);
      known.values = values;
    }
    const indices = data.values as Int32Array;
    const inputOf = known.inputs;
    for (let row = start, to = 0; row < end; row++, to++) inputs[to] = inputOf[indices[row]!]!;
    forEachNull(data, start, end, (row) => {
      inputs[row - start] = Number.NaN;
    });
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
    if (this.#ids.length < count) {
      this.#ids = new Int32Array(count);
      this.#inOrder = Int32Array.from(this.#ids, (_, place) => place);
    }
    return this.#ids;
  }

  #numberScratch(count: number): Float64Array {
    if (this.#numbers.length < count) this.#numbers = new Float64Array(count);
    return this.#numbers;
  }
}

function readInputs(
  numbers: FeatureNumbers,
  data: Data,
  start: number,
  end: number,
  inputs: Float64Array,
): void {
  numbers.read(data, start, end, inputs);
  const count = end - start;
  for (let i = 0; i < count; i++) inputs[i] = numbers.transform(inputs[i]!);
}
