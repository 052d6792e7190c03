import { isUtf8 } from 'node:buffer';
import type { Data } from 'apache-arrow';
import { isValid } from '../base/arrowColumns.ts';
import { ContractError } from '../base/errors.ts';
import { IntScratch, readIntegers } from './columnValues.ts';
import type { TableDefinition } from './contract.ts';
import { IntIndex } from './intIndex.ts';
import { encodeIntVocabulary } from './intVocabulary.ts';
import { sortByBytes } from './sortByBytes.ts';
import { sortByKey } from './sortByKey.ts';
import { StringIndex } from './stringIndex.ts';
import { encodeStringVocabulary } from './stringVocabulary.ts';

/** Most bytes of distinct strings in one vocabulary. */
const MAX_TEXT_BYTES = 2 ** 30;

/** Counts exact values; ids go to the most frequent first, equal counts in order of the value. */
export class VocabularyLearner {
  readonly #definition: TableDefinition;
  readonly #firstColumn: string;
  readonly #integers = new IntIndex();
  readonly #strings = new StringIndex();
  readonly #scratch = new IntScratch();
  #counts = new Float64Array(1024);

  constructor(definition: TableDefinition, firstColumn: string) {
    this.#definition = definition;
    this.#firstColumn = firstColumn;
  }

  /**
   * Counts values [start, end).
   * @param column what an error calls them
   * @throws ContractError CONTRACT_VOCABULARY_TOO_LARGE
   */
  add(data: Data, start: number, end: number, column: string): void {
    if (this.#definition.type === 'int') {
      readIntegers(data, start, end, this.#scratch);
      const { highs, lows } = this.#scratch;
      for (let i = 0; i < end - start; i++) {
        if (isValid(data, start + i)) this.#count(this.#integers.findOrAdd(highs[i]!, lows[i]!), column);
      }
      return;
    }
    const bytes = data.values as Uint8Array;
    const offsets = data.valueOffsets as Int32Array;
    for (let row = start; row < end; row++) {
      if (!isValid(data, row)) continue;
      const [from, to] = [offsets[row]!, offsets[row + 1]!];
      if (to - from > MAX_TEXT_BYTES) this.#refuseText(column);
      this.#count(this.#strings.findOrAdd(bytes, from, to), column);
      if (this.#strings.textBytes > MAX_TEXT_BYTES) this.#refuseText(column);
    }
  }

  addLists(data: Data, rowCount: number, column: string): void {
    const offsets = data.valueOffsets as Int32Array;
    let row = 0;
    while (row < rowCount) {
      // Null rows may hold stale values; the lists of a run of other rows adjoin.
      let runEnd = row;
      while (runEnd < rowCount && isValid(data, runEnd)) runEnd++;
      if (runEnd > row) this.add(data.children[0]!, offsets[row]!, offsets[runEnd]!, column);
      row = runEnd + 1;
    }
  }

  /**
   * The vocabulary file of the values that are frequent enough and don't mean "missing".
   * @throws ContractError CONTRACT_NOT_UTF8
   */
  vocabulary(): { readonly entries: number; readonly bytes: Uint8Array } {
    const kept = this.#kept();
    if (this.#definition.type === 'int') {
      const { halves } = this.#integers;
      const order = byFallingCount(sortByInteger(kept, halves), this.#counts);
      return { entries: order.length, bytes: this.vocabularyIn(order) };
    }
    sortByBytes(kept, this.#strings);
    const order = byFallingCount(kept, this.#counts);
    return { entries: order.length, bytes: this.vocabularyIn(order) };
  }

  /** How many distinct values there are. */
  get size(): number {
    return (this.#definition.type === 'int' ? this.#integers : this.#strings).size;
  }

  /**
   * The vocabulary file of values whose ids somebody has given: missing and rare ones are no exception.
   * @param order of all values by their ids: how many other values came before each
   * @throws ContractError CONTRACT_NOT_UTF8
   */
  vocabularyIn(order: Uint32Array): Uint8Array {
    if (this.#definition.type === 'int') return encodeIntVocabulary(this.#integers.halves, order);
    for (const at of order) if (!isUtf8(this.#strings.bytesAt(at))) this.#refuseBytes(at);
    return encodeStringVocabulary(this.#strings, order);
  }

  /** Indices of values with an id. */
  #kept(): Uint32Array {
    const { type, vocabulary, missingValues } = this.#definition;
    const { size } = type === 'int' ? this.#integers : this.#strings;
    const missing = new Set(missingValues.map((value) => this.#indexOf(String(value))));
    const kept = new Uint32Array(size);
    let count = 0;
    for (let at = 0; at < size; at++) {
      if (this.#counts[at]! >= vocabulary!.minCount && !missing.has(at)) kept[count++] = at;
    }
    return kept.slice(0, count);
  }

  #indexOf(value: string): number {
    if (this.#definition.type === 'string') {
      const bytes = Buffer.from(value);
      return this.#strings.find(bytes, 0, bytes.length);
    }
    const rank = new Int32Array(1);
    const integer = BigInt(value);
    const high = Int32Array.of(Number(BigInt.asIntN(32, integer >> 32n)));
    this.#integers.findAll(high, Int32Array.of(Number(BigInt.asIntN(32, integer))), 1, rank);
    return rank[0]! - 1;
  }

  #count(index: number, column: string): void {
    const { maxEntries } = this.#definition.vocabulary!;
    if (index >= maxEntries) {
      throw new ContractError('CONTRACT_VOCABULARY_TOO_LARGE', "use 'hash' or raise maxEntries", {
        column,
        expected: `at most ${maxEntries} distinct values`,
        found: 'more',
      });
    }
    if (index >= this.#counts.length) {
      const larger = new Float64Array(2 * this.#counts.length);
      larger.set(this.#counts);
      this.#counts = larger;
    }
    this.#counts[index]!++;
  }

  #refuseText(column: string): never {
    throw new ContractError('CONTRACT_VOCABULARY_TOO_LARGE', "use 'hash'", {
      column,
      expected: `at most ${MAX_TEXT_BYTES} bytes of distinct values`,
      found: 'more',
    });
  }

  #refuseBytes(index: number): never {
    const bytes = this.#strings.bytesAt(index);
    throw new ContractError('CONTRACT_NOT_UTF8', "a vocabulary needs text; use 'hash' for other bytes", {
      column: this.#firstColumn,
      expected: 'UTF-8',
      found: `the bytes ${Buffer.from(bytes).toString('hex')}`,
    });
  }
}

/** As signed 64-bit integers, ascending. @param halves low and high half of each value */
function sortByInteger(order: Uint32Array, halves: Int32Array): Uint32Array {
  const keys = new Uint32Array(halves.length / 2);
  for (let at = 0; at < keys.length; at++) keys[at] = halves[2 * at]!;
  const byLow = sortByKey(order, keys);
  for (let at = 0; at < keys.length; at++) keys[at] = halves[2 * at + 1]! ^ 0x80000000;
  return sortByKey(byLow, keys);
}

/** The most frequent first; equal counts stay in their order. @param counts whole numbers below 2^53 */
function byFallingCount(order: Uint32Array, counts: Float64Array): Uint32Array {
  let largest = 0;
  for (const at of order) largest = Math.max(largest, counts[at]!);
  const keys = new Uint32Array(counts.length);
  for (const at of order) keys[at] = (largest - counts[at]!) % 2 ** 32;
  const byLow = sortByKey(order, keys);
  if (largest < 2 ** 32) return byLow;
  for (const at of order) keys[at] = Math.floor((largest - counts[at]!) / 2 ** 32);
  return sortByKey(byLow, keys);
}
