import type { Data, RecordBatch } from 'apache-arrow';
import { ContractError } from '../base/errors.ts';
import { columnRequirements, findColumn } from './columnRequirements.ts';
import { IntScratch, isValid, readIntegers } from './columnValues.ts';
import type {
  BucketedFeature,
  Feature,
  FeatureContract,
  NumericFeature,
  TableDefinition,
} from './contract.ts';
import { tableOf } from './featureLayout.ts';
import { featureNumbers } from './featureNumbers.ts';
import { IntIndex } from './intIndex.ts';
import { QuantileSample } from './quantileSample.ts';
import { StringIndex } from './stringIndex.ts';

/** Learns one feature's share of the contract from a stream of a column's batches. */
type AddColumn = (data: Data, rowCount: number) => void;

/**
 * Learns vocabularies, means and bucket boundaries in one pass over the training batches and returns the
 * contract with everything written in. Memory is bounded by `maxEntries` per vocabulary and a fixed sample per
 * bucketed feature, not by the number of rows. The result doesn't depend on how rows are cut into batches, and
 * vocabularies don't depend on the order of the rows either.
 * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE, CONTRACT_VOCABULARY_TOO_LARGE,
 *   CONTRACT_NO_ROWS, CONTRACT_NOT_UTF8
 */
export async function fitContract(
  contract: FeatureContract,
  batches: AsyncIterable<RecordBatch>,
): Promise<FeatureContract> {
  const fitted = structuredClone(contract);
  const vocabularies = new Map<TableDefinition, VocabularyLearner>();
  const numbers = new Map<NumericFeature | BucketedFeature, MomentsLearner | QuantileLearner>();
  const requirements = columnRequirements(fitted);
  const learners = new Map<string, AddColumn[]>(requirements.map(({ column }) => [column, []]));
  for (const feature of fitted.features) {
    const learner = learnerOf(fitted, feature, vocabularies, numbers);
    if (learner !== undefined) learners.get(feature.column)!.push(learner);
  }

  let rows = 0;
  for await (const batch of batches) {
    rows += batch.numRows;
    for (const requirement of requirements) {
      const data = findColumn(batch, requirement);
      if (data === undefined) continue;
      for (const add of learners.get(requirement.column)!) add(data, batch.numRows);
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
): AddColumn | undefined {
  if (feature.kind === 'numeric') {
    if (!feature.standardise) return undefined;
    const learner = new MomentsLearner(feature);
    numbers.set(feature, learner);
    return (data, rowCount) => learner.add(data, rowCount);
  }
  if (feature.kind === 'bucketed') {
    const learner = new QuantileLearner(feature);
    numbers.set(feature, learner);
    return (data, rowCount) => learner.add(data, rowCount);
  }
  const { definition } = tableOf(contract, feature);
  if (definition.vocabulary === undefined) return undefined;
  const learner = vocabularies.get(definition) ?? new VocabularyLearner(definition, feature.column);
  vocabularies.set(definition, learner);
  return feature.kind === 'list'
    ? (data, rowCount) => learner.addLists(data, rowCount, feature.column)
    : (data, rowCount) => learner.add(data, 0, rowCount, feature.column);
}

/** Counts exact values; ids go to the most frequent first, equal counts in order of the value. */
class VocabularyLearner {
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

  /** Counts values [start, end). `column` is what an error calls them. */
  add(data: Data, start: number, end: number, column: string): void {
    if (this.#definition.type === 'int') {
      readIntegers(data, start, end, this.#scratch);
      const { highs, lows } = this.#scratch;
      for (let i = 0; i < end - start; i++) {
        if (isValid(data, start + i)) this.#count(this.#integers.findOrAdd(highs[i]!, lows[i]!), column);
      }
    } else {
      const bytes = data.values as Uint8Array;
      const offsets = data.valueOffsets as Int32Array;
      for (let row = start; row < end; row++) {
        if (!isValid(data, row)) continue;
        this.#count(this.#strings.findOrAdd(bytes, offsets[row]!, offsets[row + 1]!), column);
      }
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

  values(): string[] {
    const { type, vocabulary, missingValues } = this.#definition;
    const missing = new Set(missingValues.map(String));
    const index = type === 'int' ? this.#integers : this.#strings;
    const counts = this.#counts;
    const kept: number[] = [];
    for (let at = 0; at < index.size; at++) if (counts[at]! >= vocabulary!.minCount) kept.push(at);
    kept.sort((a, b) => counts[b]! - counts[a]! || index.compare(a, b));
    return kept.map((at) => this.#valueAt(at)).filter((value) => !missing.has(value));
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

  #valueAt(index: number): string {
    if (this.#definition.type === 'int') return String(this.#integers.valueAt(index));
    const bytes = this.#strings.bytesAt(index);
    try {
      return UTF8.decode(bytes);
    } catch (cause) {
      throw new ContractError('CONTRACT_NOT_UTF8', "a vocabulary needs text; use 'hash' for other bytes", {
        column: this.#firstColumn,
        expected: 'UTF-8',
        found: `the bytes ${Buffer.from(bytes).toString('hex')}`,
        cause,
      });
    }
  }
}

// Without ignoreBOM a value's leading U+FEFF would be dropped, and the encoder would never find the value again.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Mean and standard deviation by Welford's update, which stays exact over billions of rows. */
class MomentsLearner {
  readonly #numbersOf: ReturnType<typeof featureNumbers>;
  #rows = 0;
  #mean = 0;
  #sumOfSquares = 0;

  constructor(feature: NumericFeature) {
    this.#numbersOf = featureNumbers(feature);
  }

  add(data: Data, rowCount: number): void {
    const numbers = this.#numbersOf(data.type);
    const raws = new Float64Array(rowCount);
    numbers.read(data, 0, rowCount, raws);
    for (const raw of raws) {
      const value = numbers.preTransform(raw);
      if (Number.isNaN(value)) continue;
      this.#rows++;
      const delta = value - this.#mean;
      this.#mean += delta / this.#rows;
      this.#sumOfSquares += delta * (value - this.#mean);
    }
  }

  moments(): { mean: number; standardDeviation: number; rows: number } {
    const deviation = Math.sqrt(this.#sumOfSquares / this.#rows);
    // A constant column (0), or one without values (NaN), carries no information; dividing by 1 keeps it at 0.
    return { mean: this.#mean, standardDeviation: deviation || 1, rows: this.#rows };
  }
}

class QuantileLearner {
  readonly #buckets: number;
  readonly #numbersOf: ReturnType<typeof featureNumbers>;
  readonly #sample = new QuantileSample();

  constructor(feature: BucketedFeature) {
    this.#buckets = feature.buckets;
    this.#numbersOf = featureNumbers(feature);
  }

  add(data: Data, rowCount: number): void {
    const values = new Float64Array(rowCount);
    this.#numbersOf(data.type).read(data, 0, rowCount, values);
    for (const value of values) {
      if (!Number.isNaN(value)) this.#sample.add(value);
    }
  }

  boundaries(): number[] {
    return this.#sample.boundaries(this.#buckets);
  }
}
