import { type Data, DataType } from 'apache-arrow';
import { dictionaryOf, type Indices, isValid } from '../base/arrowColumns.ts';
import type { BinCounter, IdBins, NumberBins } from './binCounter.ts';
import { forEachNull, IntScratch, readHalves, readIntegers } from './columnValues.ts';
import type { FeatureNumbers } from './featureNumbers.ts';
import { type HashSettings, hashIntegers, hashTexts } from './hashValues.ts';
import { type IdTable, MISSING_ID, UNSEEN_ID } from './idTable.ts';

/** What rows of a column are encoded to: that of row i is `values[places[from + i]]`. */
export interface EncodedValues<Values> {
  readonly values: Values;
  /** Of the field's counter, beside each value. */
  readonly bins: Uint8Array;
  readonly places: Int32Array;
  readonly from: number;
  /** Whether a row may be missing. */
  readonly haveMissing: boolean;
}

/** Memory that all fields of an encoder use in turn, until the next one is encoded. */
export class FieldScratch {
  readonly integers = new IntScratch();
  numbers = new Float64Array(0);
  rows = new Int32Array(0);
  inputs = new Float32Array(0);
  bins = new Uint8Array(0);
  /** 0, 1, 2 and so on. */
  inOrder = new Int32Array(0);
  places = new Int32Array(0);

  ensure(count: number): void {
    if (this.bins.length >= count) return;
    this.rows = new Int32Array(count);
    this.inputs = new Float32Array(count);
    this.bins = new Uint8Array(count);
    this.inOrder = new Int32Array(count).map((_, place) => place);
    this.places = new Int32Array(count);
  }

  takeNumbers(count: number): Float64Array {
    if (this.numbers.length < count) this.numbers = new Float64Array(count);
    return this.numbers;
  }
}

/** What the values of a dictionary are encoded to, and a missing value behind them. */
export interface EncodedDictionary<Values extends Int32Array | Float32Array = Int32Array | Float32Array> {
  readonly values: Values;
  /** Of the field's counter, beside each value. */
  readonly bins: Uint8Array;
  /** Whether any of the values is missing. */
  readonly haveMissing: boolean;
}

/** Encodes the values of a field: those of a dictionary once, for batch after batch has the same one. */
export abstract class FieldValues<Values extends Int32Array | Float32Array = Int32Array | Float32Array> {
  protected readonly scratch: FieldScratch;
  /** That was met last. */
  #dictionary: Data | undefined;
  #encoded: EncodedDictionary<Values> | undefined;
  /** What was encoded here last. */
  #own: EncodedDictionary<Values> | undefined;
  readonly #taken = new WeakMap<Data, EncodedDictionary<Values>>();

  constructor(scratch: FieldScratch) {
    this.scratch = scratch;
  }

  abstract readonly counter: BinCounter;
  protected abstract allocate(count: number): Values;
  protected abstract readonly ofScratch: Values;
  /** What a missing value is encoded to. */
  protected abstract readonly missing: number;
  /** Encodes rows [start, end) of a column without a dictionary. @returns whether any of them is missing */
  protected abstract encode(
    data: Data,
    start: number,
    end: number,
    values: Values,
    bins: Uint8Array,
  ): boolean;

  /** Rows [start, end) of a column, valid until the next call of any field; all missing where there is none. */
  of(data: Data | undefined, start: number, end: number): EncodedValues<Values> {
    const { scratch } = this;
    const count = end - start;
    scratch.ensure(count);
    const dictionary = data && dictionaryOf(data);
    if (data === undefined || dictionary === undefined) {
      const { bins, inOrder: places } = scratch;
      const values = this.ofScratch;
      if (data !== undefined) {
        const haveMissing = this.encode(data, start, end, values, bins);
        return { values, bins, places, from: 0, haveMissing };
      }
      values.fill(this.missing, 0, count);
      bins.fill(this.counter.missingBin, 0, count);
      return { values, bins, places, from: 0, haveMissing: true };
    }
    if (this.#encoded === undefined || this.#dictionary !== dictionary) {
      this.#encoded = this.#taken.get(dictionary) ?? this.encodeDictionary(dictionary);
      this.#dictionary = dictionary;
    }
    const { values, bins, haveMissing } = this.#encoded;
    const indices = data.values as Indices;
    const { places } = scratch;
    if (data.nullCount === 0) {
      if (indices instanceof Int32Array) return { values, bins, places: indices, from: start, haveMissing };
      // One type of places for the loops behind this: they would take as long again for each that they meet.
      places.set(indices.subarray(start, end));
      return { values, bins, places, from: 0, haveMissing };
    }
    const { length: missing } = dictionary;
    for (let row = start; row < end; row++) {
      places[row - start] = isValid(data, row) ? indices[row]! : missing;
    }
    return { values, bins, places, from: 0, haveMissing: true };
  }

  /** @returns in memory that may be longer, valid until another dictionary is encoded */
  encodeDictionary(dictionary: Data): EncodedDictionary<Values> {
    const { length } = dictionary;
    const fits = this.#own !== undefined && this.#own.bins.length > length;
    const values = fits ? this.#own!.values : this.allocate(length + 1);
    const bins = fits ? this.#own!.bins : new Uint8Array(length + 1);
    this.#encoded = undefined;
    const haveMissing = this.encode(dictionary, 0, length, values, bins);
    values[length] = this.missing;
    bins[length] = this.counter.missingBin;
    this.#own = { values, bins, haveMissing };
    return this.#own;
  }

  /** Takes over what `encodeDictionary` of the same field gave elsewhere, for as long as the dictionary lives. */
  takeDictionary(dictionary: Data, encoded: EncodedDictionary): void {
    this.#taken.set(dictionary, encoded as EncodedDictionary<Values>);
  }
}

/** Where a field's local ids come from. */
interface IdSource {
  /** Those of rows [start, end) of a column without a dictionary, to `ids` from 0 on. */
  readonly find: (data: Data, start: number, end: number, ids: Int32Array, scratch: FieldScratch) => void;
  /** Where nothing but hashing is to be done. */
  readonly hash?: IdTable['hash'];
}

/** Values as rows of the joint embedding matrix. */
export class FieldRows extends FieldValues<Int32Array> {
  readonly counter: IdBins;
  protected readonly missing: number;
  readonly #source: IdSource;
  readonly #rowStart: number;
  readonly #unseen: number;

  /**
   * @param rowStart of the field's embedding table
   * @param isList whether missing and unseen values are told apart, as MISSING_ID and UNSEEN_ID, and not encoded to the row that
   * stands for both
   */
  constructor(source: IdSource, rowStart: number, counter: IdBins, isList: boolean, scratch: FieldScratch) {
    super(scratch);
    this.#source = source;
    this.#rowStart = rowStart;
    this.counter = counter;
    this.missing = isList ? MISSING_ID : rowStart;
    this.#unseen = isList ? UNSEEN_ID : rowStart;
  }

  protected get ofScratch(): Int32Array {
    return this.scratch.rows;
  }

  protected allocate(count: number): Int32Array {
    return new Int32Array(count);
  }

  protected encode(data: Data, start: number, end: number, rows: Int32Array, bins: Uint8Array): boolean {
    const { find, hash } = this.#source;
    if (hash !== undefined && !DataType.isNull(data.type)) {
      return this.#hash(hash, data, start, end, rows, bins);
    }
    const count = end - start;
    find(data, start, end, rows, this.scratch);
    const haveMissing = this.counter.find(rows, count, bins);
    const rowStart = this.#rowStart;
    const { missing } = this;
    const unseen = this.#unseen;
    for (let at = 0; at < count; at++) {
      const id = rows[at]!;
      if (id > 0) rows[at] = rowStart + id;
      else rows[at] = id === MISSING_ID ? missing : unseen;
    }
    return haveMissing;
  }

  /** Rows and bins in one pass. */
  #hash(
    hash: HashSettings,
    data: Data,
    start: number,
    end: number,
    rows: Int32Array,
    into: Uint8Array,
  ): boolean {
    const { ends, missingBin } = this.counter;
    const target = { rowStart: this.#rowStart, rows, bins: { ends, into } };
    if (DataType.isUtf8(data.type) || DataType.isBinary(data.type)) {
      hashTexts(data.values, data.valueOffsets, start, end - start, hash, target);
    } else {
      const { integers } = this.scratch;
      const read = (from: number, count: number, halves: Int32Array) =>
        readHalves(data, start + from, start + from + count, halves, integers);
      hashIntegers(read, end - start, hash, target);
    }
    let haveMissing = false;
    forEachNull(data, start, end, (row) => {
      rows[row - start] = this.missing;
      into[row - start] = missingBin;
      haveMissing = true;
    });
    return haveMissing;
  }
}

/** Numbers as dense inputs; 0 for missing ones, which only their bin tells from others. */
export class FieldInputs extends FieldValues<Float32Array> {
  readonly counter: NumberBins;
  protected readonly missing = 0;
  readonly #numbersOf: (type: DataType) => FeatureNumbers;

  constructor(numbersOf: (type: DataType) => FeatureNumbers, counter: NumberBins, scratch: FieldScratch) {
    super(scratch);
    this.#numbersOf = numbersOf;
    this.counter = counter;
  }

  protected get ofScratch(): Float32Array {
    return this.scratch.inputs;
  }

  protected allocate(count: number): Float32Array {
    return new Float32Array(count);
  }

  protected encode(data: Data, start: number, end: number, inputs: Float32Array, bins: Uint8Array): boolean {
    return this.#numbersOf(data.type).encode(data, start, end, this.counter.ends, { inputs, bins });
  }
}

/** Looks ids up in a table. */
export function idsOfTable(table: IdTable): IdSource {
  const find: IdSource['find'] = (data, start, end, ids, { integers }) => {
    const count = end - start;
    if (DataType.isNull(data.type)) {
      ids.fill(MISSING_ID, 0, count);
      return;
    }
    if (table.type === 'int') {
      readIntegers(data, start, end, integers);
      table.lookUpIntegers(integers, count, ids);
    } else {
      table.lookUpStrings(data.values as Uint8Array, data.valueOffsets as Int32Array, start, count, ids);
    }
    forEachNull(data, start, end, (row) => {
      ids[row - start] = MISSING_ID;
    });
  };
  return { find, hash: table.hash };
}

/** Numbers of buckets as ids. */
export function idsOfBuckets(numbersOf: (type: DataType) => FeatureNumbers): IdSource {
  const find: IdSource['find'] = (data, start, end, ids, scratch) => {
    const count = end - start;
    const raw = scratch.takeNumbers(count);
    const numbers = numbersOf(data.type);
    numbers.read(data, start, end, raw);
    for (let at = 0; at < count; at++) {
      const value = raw[at]!;
      ids[at] = Number.isNaN(value) ? MISSING_ID : 1 + numbers.bucket(value);
    }
  };
  return { find };
}
