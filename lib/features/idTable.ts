import { type IntScratch, joinHalves } from './columnValues.ts';
import type { TableDefinition } from './contract.ts';
import { type HashSettings, hashIntegers, hashTexts } from './hashValues.ts';
import { createIntLookup, type IntLookup } from './intVocabulary.ts';
import type { StringLookup } from './stringIndex.ts';
import { StringIndex } from './stringIndex.ts';
import { openVocabulary, type VocabularyFiles } from './vocabulary.ts';

/** Local id of a null, or of a value that the table's `missingValues` lists. */
export const MISSING_ID = -1;
/** Local id of a value that training never saw (or saw too rarely). */
export const UNSEEN_ID = 0;

/** Turns values into local ids: MISSING_ID, UNSEEN_ID, or 1 and up. */
export abstract class IdTable {
  readonly type: 'int' | 'string';
  /** Where a value's id is nothing but its hash. */
  readonly hash: HashSettings | undefined;
  readonly #missingValues: IntLookup | StringLookup;
  readonly #hasMissingValues: boolean;
  #missingRanks = new Int32Array(0);

  constructor({ type, missingValues, hash }: TableDefinition) {
    this.type = type;
    this.hash = missingValues.length > 0 ? undefined : hash;
    this.#missingValues = type === 'int' ? createIntLookup(missingValues) : indexStrings(missingValues);
    this.#hasMissingValues = missingValues.length > 0;
  }

  lookUpIntegers(values: IntScratch, count: number, ids: Int32Array): void {
    this.findIntegers(values, count, ids);
    if (!this.#hasMissingValues) return;
    const ranks = this.#rankScratch(count);
    (this.#missingValues as IntLookup).findAll(values.highs, values.lows, count, ranks);
    markMissing(ranks, count, ids);
  }

  /** Value i is `bytes[offsets[from + i] .. offsets[from + i + 1])`. */
  lookUpStrings(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ids: Int32Array): void {
    this.findStrings(bytes, offsets, from, count, ids);
    if (!this.#hasMissingValues) return;
    const ranks = this.#rankScratch(count);
    (this.#missingValues as StringLookup).findAll(bytes, offsets, from, count, ranks);
    markMissing(ranks, count, ids);
  }

  protected abstract findIntegers(values: IntScratch, count: number, ids: Int32Array): void;
  protected abstract findStrings(
    bytes: Uint8Array,
    offsets: Int32Array,
    from: number,
    count: number,
    ids: Int32Array,
  ): void;

  #rankScratch(count: number): Int32Array {
    if (this.#missingRanks.length < count) this.#missingRanks = new Int32Array(count);
    return this.#missingRanks;
  }
}

/**
 * @param definition of a contract for which `featureLayout` found everything fitted
 * @param vocabularies of that contract; probed in place, and not checked again
 * @throws ContractError BUNDLE_VOCABULARY_INVALID
 */
export function createIdTable(definition: TableDefinition, vocabularies: VocabularyFiles): IdTable {
  const { type, hash, vocabulary } = definition;
  if (hash !== undefined) return new HashTable(definition, hash);
  const { file, entries } = vocabulary!.fitted!;
  const bytes = vocabularies.get(file);
  if (bytes === undefined) throw new Error(`the vocabulary ${file} wasn't loaded`);
  return new VocabularyTable(definition, openVocabulary(bytes, { type, entries }));
}

/** id = 1 + XXH64(value, seed) mod buckets: every value is seen. */
class HashTable extends IdTable {
  readonly #settings: HashSettings;

  constructor(definition: TableDefinition, settings: HashSettings) {
    super(definition);
    this.#settings = settings;
  }

  protected findIntegers(values: IntScratch, count: number, ids: Int32Array): void {
    const read = (from: number, some: number, into: Int32Array) => joinHalves(values, from, some, into);
    hashIntegers(read, count, this.#settings, { rowStart: 0, rows: ids });
  }

  protected findStrings(
    bytes: Uint8Array,
    offsets: Int32Array,
    from: number,
    count: number,
    ids: Int32Array,
  ): void {
    hashTexts(bytes, offsets, from, count, this.#settings, { rowStart: 0, rows: ids });
  }
}

/** The id that the vocabulary file gives a value; anything else is unseen. */
class VocabularyTable extends IdTable {
  readonly #values: IntLookup | StringLookup;

  constructor(definition: TableDefinition, values: IntLookup | StringLookup) {
    super(definition);
    this.#values = values;
  }

  protected findIntegers({ highs, lows }: IntScratch, count: number, ids: Int32Array): void {
    (this.#values as IntLookup).findAll(highs, lows, count, ids);
  }

  protected findStrings(
    bytes: Uint8Array,
    offsets: Int32Array,
    from: number,
    count: number,
    ids: Int32Array,
  ): void {
    (this.#values as StringLookup).findAll(bytes, offsets, from, count, ids);
  }
}

function indexStrings(values: readonly (string | number)[]): StringIndex {
  const index = new StringIndex();
  const encoder = new TextEncoder();
  for (const value of values) {
    const bytes = encoder.encode(String(value));
    index.findOrAdd(bytes, 0, bytes.length);
  }
  return index;
}

function markMissing(ranks: Int32Array, count: number, ids: Int32Array): void {
  for (let i = 0; i < count; i++) if (ranks[i] !== 0) ids[i] = MISSING_ID;
}
