import { type Data, DataType, type List, type RecordBatch } from 'apache-arrow';
import {
  type ColumnRequirement,
  columnOf,
  dictionaryOf,
  isRowKeyType,
  nestedAdvice,
  ROW_KEY_TYPES,
  typeText,
  withAdvice,
} from '../base/arrowColumns.ts';
import { dayOfPath } from '../base/dayOfPath.ts';
import { ContractError } from '../base/errors.ts';
import { didYouMean } from '../base/nearestName.ts';
import { isIdColumn, isNumberColumn, isStringColumn } from './columnValues.ts';
import type { Feature, FeatureContract } from './contract.ts';
import { tableOf } from './featureLayout.ts';
import { isMomentColumn, momentSettings } from './momentParts.ts';

/** Columns that may be copied to the output as row keys. */
export function rowKeyRequirements(contract: FeatureContract): ColumnRequirement[] {
  return contract.rowKeys.map((column) => ({
    column,
    required: true,
    accepts: isRowKeyType,
    expected: `${ROW_KEY_TYPES} (row key)`,
    advice: (type) => keyAdvice(type, column),
  }));
}

function keyAdvice(type: DataType, column: string): string | undefined {
  if (!DataType.isFloat(type) && !DataType.isDecimal(type)) return undefined;
  const name = column.slice(column.lastIndexOf('.') + 1);
  return `floats and decimals are no keys to join scores by; where the shard is written, CAST(${name} AS BIGINT) or CAST(${name} AS VARCHAR)`;
}

/** The columns that features read, each once. */
export function featureColumns({ features }: Pick<FeatureContract, 'features'>): string[] {
  const columns = features.flatMap((feature) =>
    [feature.column, dayRequirement(feature)?.column ?? []].flat(),
  );
  return [...new Set(columns)];
}

/** One requirement per column that features read. A column that several read must satisfy all of them. */
export function columnRequirements(contract: FeatureContract): ColumnRequirement[] {
  const byColumn = new Map<string, ColumnRequirement>();
  const own = contract.features.map((feature) => requirementOf(contract, feature));
  const ofDays = contract.features.flatMap((feature) => dayRequirement(feature) ?? []);
  for (const requirement of [...own, ...ofDays]) {
    const other = byColumn.get(requirement.column);
    byColumn.set(requirement.column, other === undefined ? requirement : bothOf(other, requirement));
  }
  return [...byColumn.values()];
}

function bothOf(a: ColumnRequirement, b: ColumnRequirement): ColumnRequirement {
  return {
    column: a.column,
    required: a.required || b.required,
    accepts: (type) => a.accepts(type) && b.accepts(type),
    expected: a.expected === b.expected ? a.expected : `${a.expected} and ${b.expected}`,
    advice: (type) => (a.accepts(type) ? b : a).advice?.(type),
  };
}

/**
 * The data of a batch's column; undefined when it is absent and not required.
 * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE
 */
export function findColumn(batch: RecordBatch, requirement: ColumnRequirement): Data | undefined {
  const { column, required, accepts, expected, advice } = requirement;
  const data = columnOf(batch, column);
  if (data === undefined) {
    if (!required) return undefined;
    const names = batch.schema.fields.map(({ name }) => name);
    const summary = `the batch lacks a required column${didYouMean(column, names)}`;
    throw new ContractError('CONTRACT_COLUMN_MISSING', summary, {
      column,
      expected,
      found: `the columns ${names.join(', ')}`,
    });
  }
  if (!accepts(dictionaryOf(data)?.type ?? data.type)) {
    const summary = 'the column has another type than the contract';
    throw new ContractError('CONTRACT_COLUMN_TYPE', withAdvice(summary, advice?.(data.type)), {
      column,
      expected,
      found: typeText(data.type),
    });
  }
  return data;
}

/** Of one feature's column. */
export function requirementOf(contract: FeatureContract, feature: Feature): ColumnRequirement {
  const { column, required, from } = feature;
  const advice = featureAdvice(feature);
  if (from !== undefined && from !== 'hex') {
    const settings = momentSettings(from);
    const accepts = (type: DataType) => isMomentColumn(type, settings);
    const expected = settings.part === 'hour' ? 'a timestamp column' : 'a date or timestamp column';
    return { column, required, accepts, expected, advice };
  }
  if (feature.kind === 'numeric' || feature.kind === 'bucketed') {
    return { column, required, accepts: isNumberColumn, expected: 'a number column', advice };
  }
  const { type } = tableOf(contract, feature).definition;
  const acceptsValue = type === 'int' ? isIdColumn : from === 'hex' ? isBytesColumn : isTextColumn;
  const what = type === 'int' ? 'integer' : from === 'hex' ? 'bytes' : 'string';
  if (feature.kind === 'categorical') {
    const expected = what === 'integer' ? 'an integer column' : `a ${what} column`;
    return { column, required, accepts: acceptsValue, expected, advice };
  }
  return {
    ...{ column, required, advice },
    accepts: (listType) =>
      DataType.isNull(listType) || (DataType.isList(listType) && acceptsValue(elementType(listType))),
    expected: `a list of ${what === 'bytes' ? what : `${what}s`}`,
  };
}

/** Of the column that says which day an age is counted up to; undefined where the feature needs none. */
export function dayRequirement({ from, required }: Feature): ColumnRequirement | undefined {
  if (from === undefined || from === 'hex') return undefined;
  const { part, at } = momentSettings(from);
  if (part !== 'ageDays' || at === undefined) return undefined;
  const accepts = (type: DataType) => isMomentColumn(type, { part });
  return { column: at, required, accepts, expected: 'a date or timestamp column' };
}

/** Whether features count ages up to the date in the shard's path. */
export function needsDayOfPath({ features }: FeatureContract): boolean {
  return features.some(countsUpToPath);
}

function countsUpToPath({ from }: Feature): boolean {
  if (from === undefined || from === 'hex') return false;
  const { part, at } = momentSettings(from);
  return part === 'ageDays' && at === undefined;
}

/** @throws ContractError SHARD_DAY_UNKNOWN for a shard whose path has no date that a feature needs */
export function refuseWithoutDay({ features }: FeatureContract, uri: string): void {
  const needing = features.find(countsUpToPath);
  if (needing !== undefined && dayOfPath(uri) === undefined) throw dayUnknown(needing.column, uri);
}

export function dayUnknown(column: string, file?: string): ContractError {
  return new ContractError('SHARD_DAY_UNKNOWN', 'an age in days needs the day of the rows', {
    ...(file === undefined ? {} : { file }),
    column,
    expected: "a date in the shard's path, such as dt=2022-05-06, or a column with it, as 'at' of 'from'",
    found: 'none',
  });
}

/** Text, bytes that are taken for text, and bytes of one length, which become text. */
function isTextColumn(type: DataType): boolean {
  return isStringColumn(type) || DataType.isFixedSizeBinary(type);
}

function isBytesColumn(type: DataType): boolean {
  return DataType.isBinary(type) || DataType.isFixedSizeBinary(type) || DataType.isNull(type);
}

function featureAdvice({ kind, column }: Feature): (type: DataType) => string | undefined {
  return (type) => {
    const isMoment = DataType.isDate(type) || DataType.isTimestamp(type);
    if (isMoment && kind !== 'list') return `"from": "hour", "weekday" or "ageDays" makes numbers of it`;
    const field = DataType.isStruct(type) ? type.children[0]?.name : undefined;
    return field === undefined
      ? nestedAdvice(column, type)
      : `a field of it is named by its path, such as '${column}.${field}'`;
  };
}

function elementType(type: List): DataType {
  const element = type.children[0]!.type as DataType;
  return DataType.isDictionary(element) ? element.dictionary : element;
}
