import { type Data, Int64, Utf8, vectorFromArray } from 'apache-arrow';
import { columnOf, isValid } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { decodeJson, isRecord } from '../base/jsonDocument.ts';
import { requirementOf } from '../features/columnRequirements.ts';
import { isIntColumn, readNumbers } from '../features/columnValues.ts';
import type { FeatureContract, TableDefinition } from '../features/contract.ts';
import { isInt64 } from '../features/crossCheckContract.ts';
import { FeatureColumn } from '../features/featureColumn.ts';
import { places } from '../features/sortByKey.ts';
import { UnreadableValueError } from '../features/unreadableValue.ts';
import { VocabularyLearner } from '../features/vocabularyLearner.ts';
import { openShard } from '../parquet/openShard.ts';
import { readRecordBatches } from '../parquet/readRecordBatches.ts';
import { storageFor } from '../storage/openStorage.ts';

/** Values in an order of their own, and their ids where these aren't 1, 2, ... in that order. */
interface ListedValues {
  readonly values: Data;
  readonly ids: Float64Array | undefined;
}

const VALUE_COLUMN = 'value';
const ID_COLUMN = 'id';
const CODE = 'MODEL_VALUES_INVALID';

/**
 * The vocabulary file of values whose ids a model was trained with.
 * @param source the values themselves, as JSON (a list in the order of their ids 1, 2, ..., or an object from value to id), or the
 *   URI of such a JSON file or of a Parquet file: its column `value`, or the only one beside an optional column `id`
 * @param origin what an error calls the source: its URI, or the document that holds it
 * @throws Ncs4cvrError MODEL_VALUES_INVALID for values that are missing, of another type or there twice, and ids that aren't
 *   1 to their number; CONTRACT_VOCABULARY_TOO_LARGE, CONTRACT_NOT_UTF8; SHARD_*, STORAGE_*
 */
export async function ownVocabulary(
  source: unknown,
  definition: TableDefinition,
  origin: string,
): Promise<{ readonly entries: number; readonly bytes: Uint8Array }> {
  const learner = new VocabularyLearner(definition, VALUE_COLUMN);
  const ids: Float64Array[] = [];
  let rows = 0;
  for await (const { values, ids: some } of listed(source, definition, origin)) {
    for (let row = 0; row < values.length; row++) {
      if (!isValid(values, row)) throw invalid(origin, 'a value in every row', `none in row ${rows + row}`);
    }
    learner.add(values, 0, values.length, VALUE_COLUMN);
    if (some !== undefined) ids.push(some);
    rows += values.length;
    if (learner.size === rows) continue;
    throw invalid(origin, 'every value once', `${learner.size} different ones in ${rows} rows`);
  }
  const order = ids.length === 0 ? places(rows) : orderOf(ids, rows, origin);
  return { entries: rows, bytes: learner.vocabularyIn(order) };
}

function listed(
  source: unknown,
  definition: TableDefinition,
  origin: string,
): AsyncIterable<ListedValues> | Iterable<ListedValues> {
  if (typeof source !== 'string') return [jsonValues(source, definition.type, origin)];
  return source.toLowerCase().endsWith('.json')
    ? jsonFile(source, definition.type)
    : parquetFile(source, definition);
}

async function* jsonFile(uri: string, type: TableDefinition['type']): AsyncGenerator<ListedValues> {
  const bytes = await storageFor(uri).readWhole(uri);
  yield jsonValues(decodeJson(bytes, { code: CODE, file: uri }), type, uri);
}

function jsonValues(document: unknown, type: TableDefinition['type'], origin: string): ListedValues {
  const isList = Array.isArray(document);
  if (!isList && !isRecord(document)) {
    throw invalid(origin, 'a list of values, or an object from value to id', typeof document);
  }
  const values: unknown[] = isList ? document : Object.keys(document);
  const wrong = values.findIndex(
    (value) => !(type === 'int' ? isIntegerText(value) : typeof value === 'string'),
  );
  if (wrong !== -1) {
    const expected = type === 'int' ? '64-bit integers, as text above 2^53' : 'strings';
    throw invalid(origin, expected, `${JSON.stringify(values[wrong])} at place ${wrong}`);
  }
  const vector =
    type === 'int'
      ? vectorFromArray(
          values.map((value) => BigInt(value as string | number)),
          new Int64(),
        )
      : vectorFromArray(values as string[], new Utf8());
  const ids = isList ? undefined : Float64Array.from(Object.values(document), Number);
  // Of no values, Arrow makes no data at all.
  const [data = vectorFromArray([null], vector.type).slice(0, 0).data[0]!] = vector.data;
  return { values: data as Data, ids };
}

function isIntegerText(value: unknown): boolean {
  return (
    (typeof value === 'number' && Number.isSafeInteger(value)) ||
    (typeof value === 'string' && isInt64(value))
  );
}

async function* parquetFile(uri: string, definition: TableDefinition): AsyncGenerator<ListedValues> {
  const file = await storageFor(uri).open(uri);
  try {
    const shard = await openShard(file);
    const fields = new Map(shard.schema.fields.map((field) => [field.name, field]));
    const others = [...fields.keys()].filter((name) => name !== ID_COLUMN);
    const name = fields.has(VALUE_COLUMN) ? VALUE_COLUMN : others.length === 1 ? others[0]! : undefined;
    const feature = valueFeature(name ?? VALUE_COLUMN, definition);
    if (name === undefined || !requirementOf(feature, feature.features[0]!).accepts(fields.get(name)!.type)) {
      const found = shard.schema.fields.map((field) => `${field.name}: ${field.type}`).join(', ');
      const expected = definition.type === 'int' ? 'integers' : 'strings';
      throw invalid(uri, `a column '${VALUE_COLUMN}' of ${expected}`, found);
    }
    const column = new FeatureColumn(feature, feature.features[0]!);
    const idType = fields.get(ID_COLUMN)?.type;
    if (idType !== undefined && !isIntColumn(idType)) {
      throw invalid(uri, `a column '${ID_COLUMN}' of integers`, String(idType));
    }
    const columns = idType === undefined ? [name] : [name, ID_COLUMN];
    for await (const { batch } of readRecordBatches(shard, columns)) {
      const idData = columnOf(batch, ID_COLUMN);
      const ids = idType === undefined ? undefined : new Float64Array(batch.numRows);
      if (ids !== undefined) readNumbers(idData!, 0, batch.numRows, ids);
      yield { values: column.of(batch)!, ids };
    }
  } catch (error) {
    if (!(error instanceof UnreadableValueError)) throw error;
    throw invalid(uri, error.expected ?? 'values that can be read', error.found ?? error.message);
  } finally {
    await file.close();
  }
}

/** A contract of one feature: a list's values may have the types that a shard's may. */
function valueFeature(column: string, table: TableDefinition): FeatureContract {
  const feature = { kind: 'categorical', column, required: true, table } as const;
  return { contractVersion: 1, rowKeys: [], tables: {}, features: [feature] };
}

/** Rows by their ids. @throws Ncs4cvrError MODEL_VALUES_INVALID when the ids aren't 1 to their number */
function orderOf(ids: readonly Float64Array[], rows: number, origin: string): Uint32Array {
  const order = new Uint32Array(rows).fill(rows);
  let row = 0;
  for (const some of ids) {
    for (const id of some) {
      const isFree = Number.isInteger(id) && id >= 1 && id <= rows && order[id - 1] === rows;
      if (!isFree) {
        const found = `${id} in row ${row}`;
        throw invalid(
          origin,
          `the ids 1 to ${rows}, each once; 0 stands for missing and unseen values`,
          found,
        );
      }
      order[id - 1] = row++;
    }
  }
  return order;
}

function invalid(file: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError(CODE, "the list of a table's values can't be used", { file, expected, found });
}
