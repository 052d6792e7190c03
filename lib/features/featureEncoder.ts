import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { dictionaryOf, isValid } from '../base/arrowColumns.ts';
import { type BinCounter, type BinCounters, IdBins, NumberBins } from './binCounter.ts';
import { columnRequirements } from './columnRequirements.ts';
import type { Feature, FeatureContract } from './contract.ts';
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
import { featureNumbers } from './featureNumbers.ts';
import {
  type EncodedDictionary,
  FieldInputs,
  FieldRows,
  FieldScratch,
  type FieldValues,
  idsOfBuckets,
  idsOfTable,
} from './fieldValues.ts';
import { createIdTable, type IdTable } from './idTable.ts';
import type { VocabularyFiles } from './vocabulary.ts';
import { writeInputs, writeLists, writeSingles } from './writeFields.ts';

/** How often a feature had no usable value; a jump between nights is the first sign of a broken shard. */
export interface FeatureCounts {
  readonly name: string;
  /** Rows (list values for a list) looked at. */
  values: number;
  /** Null, listed as a missing value, or no number; for a list: rows without any value. */
  missing: number;
  /** Values that training never saw. */
  unseen: number;
  /** Of known values, where they are counted by bins; whoever made the bins sets it back. */
  readonly binCounter?: BinCounter;
}

/** A field with everything that encoding it needs. */
interface EncodableField<Field, Values> {
  readonly field: Field;
  readonly column: FeatureColumn;
  readonly counts: FeatureCounts;
  readonly values: Values;
}

const NO_BINS: BinCounters = { ids: new Map(), numbers: new Map() };

/**
 * Encodes record batches by a fitted contract, column by column on Arrow's buffers. Holds scratch memory and
 * counters: one instance per thread.
 */
export class FeatureEncoder {
  readonly layout: FeatureLayout;
  readonly counts: readonly FeatureCounts[];
  readonly #singles: readonly EncodableField<SingleField, FieldRows>[];
  readonly #lists: readonly EncodableField<ListField, FieldRows>[];
  readonly #numerics: readonly EncodableField<NumericField, FieldInputs>[];

  /**
   * @param vocabularies of the contract's tables; none for one without
   * @param bins in which encoded values are counted besides
   * @throws ContractError CONTRACT_NOT_FITTED, BUNDLE_VOCABULARY_INVALID
   */
  constructor(contract: FeatureContract, vocabularies: VocabularyFiles, bins: BinCounters = NO_BINS) {
    this.layout = featureLayout(contract);
    const requirements = new Map(columnRequirements(contract).map((need) => [need.column, need]));
    const scratch = new FieldScratch();
    const tables = new Map<string, IdTable>();
    const encodable = <Field extends { readonly name: string; readonly feature: Feature }, Values>(
      field: Field,
      values: Values,
      binCounter: BinCounter | undefined,
    ): EncodableField<Field, Values> => ({
      field,
      column: new FeatureColumn(contract, field.feature, requirements.get(field.feature.column)),
      counts: {
        ...{ name: field.name, values: 0, missing: 0, unseen: 0 },
        ...(binCounter === undefined ? {} : { binCounter }),
      },
      values,
    });
    const rowsOf = ({ name, feature, table: { rowStart, rowCount } }: SingleField | ListField): FieldRows => {
      const counter = bins.ids.get(name) ?? new IdBins([], rowCount);
      const isList = feature.kind === 'list';
      if (feature.kind === 'bucketed') {
        return new FieldRows(idsOfBuckets(featureNumbers(feature)), rowStart, counter, isList, scratch);
      }
      const { name: tableName, definition } = tableOf(contract, feature);
      const table = tables.get(tableName) ?? createIdTable(definition, vocabularies);
      tables.set(tableName, table);
      return new FieldRows(idsOfTable(table), rowStart, counter, isList, scratch);
    };
    this.#singles = this.layout.singles.map((field) =>
      encodable(field, rowsOf(field), bins.ids.get(field.name)),
    );
    this.#lists = this.layout.lists.map((field) => encodable(field, rowsOf(field), bins.ids.get(field.name)));
    this.#numerics = this.layout.numerics.map((field) => {
      const binned = bins.numbers.get(field.name);
      const counter = binned ?? new NumberBins([]);
      return encodable(field, new FieldInputs(featureNumbers(field.feature), counter, scratch), binned);
    });
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
    const count = end - start;
    const width = this.layout.singles.length;
    for (const [index, { column, values, counts }] of this.#singles.entries()) {
      const placed = values.of(column.of(batch, day), start, end);
      writeSingles(placed, values.counter, count, into.singleRows, at * width + index, width);
      addCounts(counts, values.counter, count);
    }
    const { listWidth } = this.layout;
    for (const all of [into.listRows, into.listWeights])
      all.fill(0, at * listWidth, (at + count) * listWidth);
    for (const list of this.#lists) this.#encodeList(list, list.column.of(batch, day), start, end, into, at);
    const { denseWidth } = this.layout;
    for (const [index, { column, values, counts }] of this.#numerics.entries()) {
      const placed = values.of(column.of(batch, day), start, end);
      writeInputs(placed, values.counter, count, into.dense, at * denseWidth + 2 * index, denseWidth);
      addCounts(counts, values.counter, count);
    }
  }

  /**
   * Encodes the dictionaries of a batch that has some of the columns.
   * @param keep makes a copy: the memory is used again
   * @returns by feature; those whose values are taken as they are
   */
  encodeDictionaries(
    batch: RecordBatch,
    keep: <A extends Int32Array | Float32Array | Uint8Array>(array: A) => A,
  ): Map<string, EncodedDictionary> {
    const encoded = new Map<string, EncodedDictionary>();
    for (const { name, dictionary, values } of this.#dictionariesOf(batch)) {
      const { values: all, bins, haveMissing } = values.encodeDictionary(dictionary);
      const end = dictionary.length + 1;
      const kept = { values: keep(all.subarray(0, end)), bins: keep(bins.subarray(0, end)), haveMissing };
      encoded.set(name, kept);
    }
    return encoded;
  }

  /** Takes over what another encoder of the same contract and bins made of the dictionaries of a batch. */
  takeDictionaries(batch: RecordBatch, encoded: ReadonlyMap<string, EncodedDictionary>): void {
    for (const { name, dictionary, values } of this.#dictionariesOf(batch)) {
      const found = encoded.get(name);
      if (found !== undefined) values.takeDictionary(dictionary, found);
    }
  }

  *#dictionariesOf(batch: RecordBatch): Generator<{
    readonly name: string;
    readonly dictionary: Data;
    readonly values: FieldValues;
  }> {
    for (const { field, column, values } of [...this.#singles, ...this.#lists, ...this.#numerics]) {
      const data = column.asItIs(batch);
      const dictionary = data && dictionaryOf(DataType.isList(data.type) ? data.children[0]! : data);
      if (dictionary !== undefined) yield { name: field.name, dictionary, values };
    }
  }

  #encodeList(
    { field, values, counts }: EncodableField<ListField, FieldRows>,
    data: Data | undefined,
    start: number,
    end: number,
    { listRows, listWeights }: EncodedRows,
    at: number,
  ): void {
    const width = this.layout.listWidth;
    const { maxLength, keep } = field.feature;
    const offsets = data?.valueOffsets as Int32Array | undefined;
    const placed = values.of(data?.children[0], offsets?.[start] ?? 0, offsets?.[end] ?? 0);
    const isNull =
      data === undefined || data.nullCount === 0 ? undefined : (row: number) => !isValid(data, row);
    const written = writeLists(
      placed,
      values.counter,
      { offsets, start, end, isNull },
      {
        ...{ rows: listRows, weights: listWeights, first: at * width + field.position, width },
        ...{ maxLength, step: keep === 'first' ? 1 : -1 },
      },
    );
    counts.missing += written.missing;
    addCounts(counts, values.counter, written.values);
  }
}

function addCounts(counts: FeatureCounts, counter: BinCounter, values: number): void {
  counts.values += values;
  counts.missing += counter.take(counter.missingBin);
  counts.unseen += counter.take(counter.unseenBin);
}
