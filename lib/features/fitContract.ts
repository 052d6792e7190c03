import type { Data, RecordBatch } from 'apache-arrow';
import { ContractError } from '../errors.ts';
import { IntScratch, isValid, readIntegers, readNumbers } from './columnValues.ts';
import type {
  BucketedFeature,
  Feature,
  FeatureContract,
  NumericFeature,
  TableDefinition,
} from './contract.ts';
import { tableOf } from './featureLayout.ts';

import { IntIndex } from './intIndex.ts';
import { QuantileSample } from './quantileSample.ts';
import { StringIndex } from './stringIndex.ts';
import { preTransformNumber } from './transformNumber.ts';

/** Learns one part of the contract from a stream of columns. */
interface Learner {
  add(data: Data, rowCount: number): void;
}

/**
 * Learns vocabularies, means and bucket boundaries in one pass over the training batches and returns the
 * contract with everything written in. Memory is bounded by `maxEntries` a vocabulary and a fixed sample a
 * bucketed feature, not by the number of rows. The result doesn't depend on how rows are cut into batches.
 * @throws ContractError CONTRACT_VOCABULARY_TOO_LARGE, CONTRACT_NO_ROWS, CONTRACT_NOT_UTF8
 */
export async function fitContract(
  contract: FeatureContract,
  batches: AsyncIterable<RecordBatch>,
): Promise<FeatureContract> {
  const fitted = structuredClone(contract);
  const vocabularies = new Map<TableDefinition, VocabularyLearner>();
  const numbers = new Map<NumericFeature | BucketedFeature, MomentsLearner | QuantileLearner>();
  const byColumn: { readonly column: string; readonly learner: Learner }[] = [];
  for (const feature of fitted.features) {
    const learner = learnerOf(fitted, feature, vocabularies, numbers);
    if (learner !== undefined) byColumn.push({ column: feature.column, learner });
  }

  let rows = 0;
  for await (const batch of batches) {
    rows += batch.numRows;
    for (const { column, learner } of byColumn) {
      const index = batch.schema.fields.findIndex((field) => field.name === column);
      const data = batch.data.children[index];
      if (data !== undefined) learner.add(data, batch.numRows);
    }
  }
  if (rows === 0) throw new ContractError('CONTRACT_NO_ROWS', 'there are no rows to fit the contract on');

  for (const [table, learner] of vocabularies) table.vocabulary!.fitted = { values: learner.values() };
  for (const [feature, learner] of numbers) {
    if (feature.kind === 'numeric') feature.fitted = (learner as MomentsLearner).moments();
    else feature.fitted = { boundaries: (learner as QuantileLearner).boundaries() };
  }
  return fitted;
}

function learnerOf(
  contract: FeatureContract,
  feature: Feature,
  vocabularies: Map<TableDefinition, VocabularyLearner>,
  numbers: Map<NumericFeature | BucketedFeature, MomentsLearner | QuantileLearner>,
): Learner | undefined {
  if (feature.kind === 'numeric') {
    if (!feature.standardise) return undefined;
    const learner = new MomentsLearner(feature);
    numbers.set(feature, learner);
    return learner;
  }
  if (feature.kind === 'bucketed') {
    const learner = new QuantileLearner(feature);
    numbers.set(feature, learner);
    return learner;
  }
  const { definition } = tableOf(contract, feature);
  if (definition.vocabulary === undefined) return undefined;
  const learner = vocabularies.get(definition) ?? new VocabularyLearner(definition, feature.column);
  vocabularies.set(definition, learner);
  return feature.kind === 'list' ? { add: (data, rowCount) => learner.addLists(data, rowCount) } : learner;
}

/** Counts exact values; ids go to the most frequent first, equal counts in order of the value. */
class VocabularyLearner implements Learner {
  readonly #definition: TableDefinition;
  readonly #column: string;
  readonly #integers = new IntIndex();
  readonly #strings = new StringIndex();
  readonly #scratch = new IntScratch();
  #counts = new Float64Array(1024);

  constructor(definition: TableDefinition, column: string) {
    this.#definition = definition;
    this.#column = column;
  }

  add(data: Data, rowCount: number): void {
    this.#addValues(data, 0, rowCount);
  }

  addLists(data: Data, rowCount: number): void {
    const offsets = data.valueOffsets as Int32Array | undefined;
    const child = data.children[0];
    if (offsets === undefined || child === undefined) return;
    for (let row = 0; row < rowCount; row++) {
      if (isValid(data, row)) this.#addValues(child, offsets[row]!, offsets[row + 1]!);
    }
  }

  values(): string[] {
    const { minCount } = this.#definition.vocabulary!;
    const missing = new Set(this.#definition.missingValues.map(String));
    const entries: { value: string; count: number }[] = [];
    const size = this.#integers.size + this.#strings.size;
    for (let index = 0; index < size; index++) {
      const count = this.#counts[index]!;
      if (count < minCount) continue;
      const value = this.#valueAt(index);
      if (!missing.has(value)) entries.push({ value, count });
    }
    const byValue =
      this.#definition.type === 'int'
        ? (a: string, b: string) => (BigInt(a) < BigInt(b) ? -1 : 1)
        : (a: string, b: string) => (a < b ? -1 : 1);
    return entries.sort((a, b) => b.count - a.count || byValue(a.value, b.value)).map(({ value }) => value);
  }

  #addValues(data: Data, start: number, end: number): void {
    if (this.#definition.type === 'int') {
      readIntegers(data, start, end, this.#scratch);
      const { highs, lows } = this.#scratch;
      for (let i = 0; i < end - start; i++) {
        if (isValid(data, start + i)) this.#count(this.#integers.findOrAdd(highs[i]!, lows[i]!));
      }
    } else {
      const bytes = data.values as Uint8Array;
      const offsets = data.valueOffsets as Int32Array;
      for (let row = start; row < end; row++) {
        if (isValid(data, row)) this.#count(this.#strings.findOrAdd(bytes, offsets[row]!, offsets[row + 1]!));
      }
    }
  }

  #count(index: number): void {
    if (index >= this.#counts.length) {
      const { maxEntries } = this.#definition.vocabulary!;
      if (index >= maxEntries) {
        throw new ContractError('CONTRACT_VOCABULARY_TOO_LARGE', "use 'hash' or raise maxEntries", {
          column: this.#column,
          expected: `at most ${maxEntries} distinct values`,
          found: 'more',
        });
      }
      const larger = new Float64Array(Math.min(2 * this.#counts.length, maxEntries));
      larger.set(this.#counts);
      this.#counts = larger;
    }
    this.#counts[index]!++;
  }

  #valueAt(index: number): string {
    if (this.#definition.type === 'int') return String(this.#integers.valueAt(index));
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.#strings.bytesAt(index));
    } catch (cause) {
      throw new ContractError('CONTRACT_NOT_UTF8', "a vocabulary needs text; use 'hash' for other bytes", {
        column: this.#column,
        expected: 'UTF-8',
        found: Buffer.from(this.#strings.bytesAt(index)).toString('hex'),
        cause,
      });
    }
  }
}

/** Mean and standard deviation by Welford's update, which stays exact over billions of rows. */
class MomentsLearner implements Learner {
  readonly #feature: NumericFeature;
  #rows = 0;
  #mean = 0;
  #sumOfSquares = 0;

  constructor(feature: NumericFeature) {
    this.#feature = feature;
  }

  add(data: Data, rowCount: number): void {
    const numbers = new Float64Array(rowCount);
    readNumbers(data, 0, rowCount, numbers);
    for (const raw of numbers) {
      const value = preTransformNumber(this.#feature, raw);
      if (Number.isNaN(value)) continue;
      this.#rows++;
      const delta = value - this.#mean;
      this.#mean += delta / this.#rows;
      this.#sumOfSquares += delta * (value - this.#mean);
    }
  }

  moments(): { mean: number; standardDeviation: number; rows: number } {
    const variance = this.#rows === 0 ? 0 : this.#sumOfSquares / this.#rows;
    // A constant column carries no information; dividing by 1 keeps it at 0.
    return { mean: this.#mean, standardDeviation: Math.sqrt(variance) || 1, rows: this.#rows };
  }
}

class QuantileLearner implements Learner {
  readonly #feature: BucketedFeature;
  readonly #sample = new QuantileSample();

  constructor(feature: BucketedFeature) {
    this.#feature = feature;
  }

  add(data: Data, rowCount: number): void {
    const numbers = new Float64Array(rowCount);
    readNumbers(data, 0, rowCount, numbers);
    for (const value of numbers) {
      if (!Number.isNaN(value) && !this.#feature.missingValues.includes(value)) this.#sample.add(value);
    }
  }

  boundaries(): number[] {
    return this.#sample.boundaries(this.#feature.buckets);
  }
}
