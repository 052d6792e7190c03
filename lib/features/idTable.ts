import { ContractError } from '../errors.ts';
import type { IntScratch } from './columnValues.ts';
import type { TableDefinition } from './contract.ts';
import { hashBucket, hashBytes, hashInt64, seed64 } from './hash64.ts';
import { IntIndex } from './intIndex.ts';
import { StringIndex } from './stringIndex.ts';

/** Local id of a value that the table's `missingValues` lists. */
export const MISSING_ID = -1;
/** Local id of a value that training never saw (or saw too rarely). */
export const UNSEEN_ID = 0;

/** Turns values into local ids: MISSING_ID, UNSEEN_ID, or 1 and up. */
export interface IdTable {
  readonly type: 'int' | 'string';
  lookUpIntegers(values: IntScratch, count: number, ids: Int32Array): void;
  /** Value i is `bytes[offsets[from + i] .. offsets[from + i + 1])`. */
  lookUpStrings(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ids: Int32Array): void;
}

/** @throws ContractError CONTRACT_NOT_FITTED for a vocabulary without values */
export function createIdTable(definition: TableDefinition, column: string): IdTable {
  const { hash, vocabulary } = definition;
  if (hash !== undefined) return new HashTable(definition, hash.buckets, hash.seed);
  if (vocabulary?.fitted === undefined) {
    throw new ContractError('CONTRACT_NOT_FITTED', 'the vocabulary has no values yet', { column });
  }
  return new VocabularyTable(definition, vocabulary.fitted.values);
}

/** Values by exact index: fitted vocabulary entries, or the sentinels that mean missing. */
class ValueIndex {
  readonly #integers = new IntIndex();
  readonly #strings = new StringIndex();
  readonly #type: 'int' | 'string';

  constructor(type: 'int' | 'string', values: readonly (string | number)[]) {
    this.#type = type;
    for (const value of values) this.#add(String(value));
  }

  get size(): number {
    return this.#integers.size + this.#strings.size;
  }

  findInteger(high: number, low: number): number {
    return this.#integers.find(high, low);
  }

  findString(bytes: Uint8Array, start: number, end: number): number {
    return this.#strings.find(bytes, start, end);
  }

  #add(value: string): void {
    if (this.#type === 'int') {
      const integer = BigInt.asUintN(64, BigInt(value));
      this.#integers.findOrAdd(Number(integer >> 32n) | 0, Number(integer & 0xffffffffn) | 0);
    } else {
      const bytes = new TextEncoder().encode(value);
      this.#strings.findOrAdd(bytes, 0, bytes.length);
    }
  }
}

abstract class BaseTable implements IdTable {
  readonly type: 'int' | 'string';
  readonly #missing: ValueIndex;

  constructor(definition: TableDefinition) {
    this.type = definition.type;
    this.#missing = new ValueIndex(definition.type, definition.missingValues);
  }

  protected abstract integerId(high: number, low: number): number;
  protected abstract stringId(bytes: Uint8Array, start: number, end: number): number;

  lookUpIntegers({ highs, lows }: IntScratch, count: number, ids: Int32Array): void {
    const checkMissing = this.#missing.size > 0;
    for (let i = 0; i < count; i++) {
      const high = highs[i]!;
      const low = lows[i]!;
      ids[i] =
        checkMissing && this.#missing.findInteger(high, low) >= 0 ? MISSING_ID : this.integerId(high, low);
    }
  }

  lookUpStrings(bytes: Uint8Array, offsets: Int32Array, from: number, count: number, ids: Int32Array): void {
    const checkMissing = this.#missing.size > 0;
    for (let i = 0; i < count; i++) {
      const start = offsets[from + i]!;
      const end = offsets[from + i + 1]!;
      ids[i] =
        checkMissing && this.#missing.findString(bytes, start, end) >= 0
          ? MISSING_ID
          : this.stringId(bytes, start, end);
    }
  }
}

/** id = 1 + XXH64(value, seed) mod buckets: every value is seen. */
class HashTable extends BaseTable {
  readonly #buckets: number;
  readonly #seed: ReturnType<typeof seed64>;

  constructor(definition: TableDefinition, buckets: number, seed: number) {
    super(definition);
    this.#buckets = buckets;
    this.#seed = seed64(seed);
  }

  protected integerId(high: number, low: number): number {
    hashInt64(high, low, this.#seed);
    return 1 + hashBucket(this.#buckets);
  }

  protected stringId(bytes: Uint8Array, start: number, end: number): number {
    hashBytes(bytes, start, end, this.#seed);
    return 1 + hashBucket(this.#buckets);
  }
}

/** id = 1 + position among the fitted values; anything else is unseen. */
class VocabularyTable extends BaseTable {
  readonly #values: ValueIndex;

  constructor(definition: TableDefinition, values: readonly string[]) {
    super(definition);
    this.#values = new ValueIndex(definition.type, values);
  }

  protected integerId(high: number, low: number): number {
    return this.#values.findInteger(high, low) + 1;
  }

  protected stringId(bytes: Uint8Array, start: number, end: number): number {
    return this.#values.findString(bytes, start, end) + 1;
  }
}
