import { type DataType, Field, Float32, Schema } from 'apache-arrow';
import { isRowKeyType, ROW_KEY_TYPES } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES } from '../base/tasks.ts';

/**
 * Schema of a prediction file: the row keys with the types and nullability of the shard, then the scores.
 * @param metadata string map of the Arrow schema, such as model version and input
 * @throws Ncs4cvrError PREDICTION_KEY_UNSUPPORTED, PREDICTION_COLUMN_CLASH
 */
export function predictionSchema(keyFields: readonly Field[], metadata: ReadonlyMap<string, string>): Schema {
  const names = new Set<string>(SCORE_NAMES);
  for (const { name, type } of keyFields) {
    if (names.has(name)) {
      throw new Ncs4cvrError('PREDICTION_COLUMN_CLASH', 'two columns of the output have one name', {
        column: name,
        expected: `row keys with names of their own, none of ${SCORE_NAMES.join(', ')}`,
      });
    }
    names.add(name);
    if (!isRowKeyType(type)) {
      throw new Ncs4cvrError('PREDICTION_KEY_UNSUPPORTED', 'a column of this type can not be a row key', {
        column: name,
        expected: ROW_KEY_TYPES,
        found: String(type),
      });
    }
  }
  const scoreFields = SCORE_NAMES.map((name) => new Field(name, new Float32(), false));
  return new Schema([...keyFields, ...scoreFields], new Map(metadata));
}

/** Columns that name a row. */
export interface RowKeyColumns {
  readonly names: readonly string[];
  /** In the order of the names. */
  readonly types: readonly DataType[];
}

/** The row keys of a prediction file, in their order: whatever isn't a score. */
export function rowKeysOf({ fields }: Schema): RowKeyColumns {
  const scores = new Set<string>(SCORE_NAMES);
  const keys = fields.filter(({ name }) => !scores.has(name));
  return { names: keys.map(({ name }) => name), types: keys.map(({ type }) => type) };
}
