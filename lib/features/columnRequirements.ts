import { DataType } from 'apache-arrow';
import { isIntColumn, isNumberColumn, isStringColumn } from './columnValues.ts';
import type { Feature, FeatureContract } from './contract.ts';
import { tableOf } from './featureLayout.ts';

/** What a contract demands of one column of a shard. */
export interface ColumnRequirement {
  readonly column: string;
  readonly required: boolean;
  readonly accepts: (type: DataType) => boolean;
  /** The accepted types in words, for errors. */
  readonly expected: string;
}

/** Columns that may be copied to the output as row keys. */
export function rowKeyRequirements(contract: FeatureContract): ColumnRequirement[] {
  return contract.rowKeys.map((column) => ({
    column,
    required: true,
    accepts: (type) =>
      DataType.isInt(type) ||
      DataType.isUtf8(type) ||
      DataType.isBinary(type) ||
      DataType.isDate(type) ||
      DataType.isTimestamp(type),
    expected: 'an integer, string, date or timestamp column (row key)',
  }));
}

/** One requirement a feature column. A column that several features read must please all of them. */
export function columnRequirements(contract: FeatureContract): ColumnRequirement[] {
  const byColumn = new Map<string, ColumnRequirement>();
  for (const feature of contract.features) {
    const own = requirementOf(contract, feature);
    const other = byColumn.get(feature.column);
    byColumn.set(
      feature.column,
      other === undefined
        ? own
        : {
            column: own.column,
            required: own.required || other.required,
            accepts: (type) => own.accepts(type) && other.accepts(type),
            expected:
              own.expected === other.expected ? own.expected : `${other.expected} and ${own.expected}`,
          },
    );
  }
  return [...byColumn.values()];
}

function requirementOf(contract: FeatureContract, feature: Feature): ColumnRequirement {
  const { column, required } = feature;
  if (feature.kind === 'numeric' || feature.kind === 'bucketed') {
    return { column, required, accepts: isNumberColumn, expected: 'a number column' };
  }
  const { type } = tableOf(contract, feature).definition;
  const acceptsValue = type === 'int' ? isIntColumn : isStringColumn;
  const valueName = type === 'int' ? 'integer' : 'string';
  if (feature.kind === 'categorical') {
    return {
      column,
      required,
      accepts: acceptsValue,
      expected: `an ${valueName} column`.replace('an s', 'a s'),
    };
  }
  return {
    column,
    required,
    accepts: (listType) =>
      DataType.isNull(listType) ||
      (DataType.isList(listType) && acceptsValue(listType.children[0]!.type as DataType)),
    expected: `a list of ${valueName}s`,
  };
}
