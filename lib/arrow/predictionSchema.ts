import { DataType, Field, Float32, Schema } from 'apache-arrow';
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
    if (!isKeyType(type)) {
      throw new Ncs4cvrError('PREDICTION_KEY_UNSUPPORTED', 'a column of this type can not be a row key', {
        column: name,
        expected: 'an integer, float, boolean, string, binary, decimal, date, time or timestamp',
        found: String(type),
      });
    }
  }
  const scoreFields = SCORE_NAMES.map((name) => new Field(name, new Float32(), false));
  return new Schema([...keyFields, ...scoreFields], new Map(metadata));
}

/**
 * Flat types only. apache-arrow 21.2 refuses a second dictionary in a file and slices string views twice;
 * the shard reader gives neither.
 */
function isKeyType(type: DataType): boolean {
  return (
    DataType.isInt(type) ||
    DataType.isFloat(type) ||
    DataType.isBool(type) ||
    DataType.isUtf8(type) ||
    DataType.isLargeUtf8(type) ||
    DataType.isBinary(type) ||
    DataType.isLargeBinary(type) ||
    DataType.isFixedSizeBinary(type) ||
    DataType.isDecimal(type) ||
    DataType.isDate(type) ||
    DataType.isTime(type) ||
    DataType.isTimestamp(type)
  );
}
