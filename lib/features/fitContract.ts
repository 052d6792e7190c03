import type { Data, RecordBatch } from 'apache-arrow';
import { sha256 } from '../base/digest.ts';
import { ContractError } from '../base/errors.ts';
import type {
  BucketedFeature,
  Feature,
  FeatureContract,
  NumericFeature,
  TableDefinition,
} from './contract.ts';
import { FeatureColumn } from './featureColumn.ts';
import { tableOf } from './featureLayout.ts';
import { featureNumbers } from './featureNumbers.ts';
import { QuantileSample } from './quantileSample.ts';
import type { VocabularyFiles } from './vocabulary.ts';
import { vocabularyPath } from './vocabularyFile.ts';
import { VocabularyLearner } from './vocabularyLearner.ts';

/** Learns one feature's share of the contract from a stream of a column's batches. */
type AddColumn = (data: Data, rowCount: number) => void;

/** A contract with everything written in that fitting learns, and the vocabularies that it names. */
export interface FittedContract {
  readonly contract: FeatureContract;
  readonly vocabularies: VocabularyFiles;
}

/**
 * Learns vocabularies, means and bucket boundaries in one pass over the training batches. Memory is bounded by `maxEntries` per
 * vocabulary (about 70 bytes for each value) and a fixed sample per bucketed feature, not by the number of rows. The result doesn't depend on how rows are cut into batches, and
 * vocabularies don't depend on the order of the rows either.
 * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE, CONTRACT_VOCABULARY_TOO_LARGE,
 *   CONTRACT_NO_ROWS, CONTRACT_NOT_UTF8, SHARD_DAY_UNKNOWN; UnreadableValueError
 */
export async function fitContract(
  contract: FeatureContract,
  batches: AsyncIterable<RecordBatch>,
): Promise<FittedContract> {
  const fitted = structuredClone(contract);
  const vocabularies = new Map<TableDefinition, VocabularyLearner>();
  const numbers = new Map<NumericFeature | BucketedFeature, MomentsLearner | QuantileLearner>();
  const learners: { readonly column: FeatureColumn; readonly add: AddColumn | undefined }[] = [];
  for (const feature of fitted.features) {
    const add = learnerOf(fitted, feature, vocabularies, numbers);
    learners.push({ column: new FeatureColumn(fitted, feature), add });
  }

  let rows = 0;
  for await (const batch of batches) {
    rows += batch.numRows;
    for (const { column, add } of learners) {
      const data = column.of(batch);
      if (data !== undefined) add?.(data, batch.numRows);
    }
  }
  if (rows === 0) throw new ContractError('CONTRACT_NO_ROWS', 'there are no rows to fit the contract on');

  // They hold the learners, whose memory the next vocabulary's file may need.
  learners.length = 0;
  const files = new Map<string, Uint8Array>();
  for (const feature of fitted.features) {
    if (feature.kind === 'numeric' || feature.kind === 'bucketed') continue;
    const { name, definition } = tableOf(fitted, feature);
    const learner = vocabularies.get(definition);
    if (learner === undefined) continue;
    const file = vocabularyPath(name);
    const { entries, bytes } = learner.vocabulary();
    files.set(file, bytes);
    definition.vocabulary!.fitted = { entries, file, sha256: sha256(bytes) };
    vocabularies.delete(definition);
  }
  for (const [feature, learner] of numbers) {
    if (feature.kind === 'numeric') feature.fitted = (learner as MomentsLearner).moments();
    else feature.fitted = { boundaries: (learner as QuantileLearner).boundaries() };
  }
  return { contract: fitted, vocabularies: files };
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
