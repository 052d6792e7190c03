import { type Data, DataType, type List, type RecordBatch } from 'apache-arrow';
import {
  type ColumnRequirement,
  columnOf,
  dictionaryOf,
  isRowKeyType,
  ROW_KEY_TYPES,
} from '../base/arrowColumns.ts';
import { ContractError } from '../base/errors.ts';
import { isIntColumn, isNumberColumn, isStringColumn } from './columnValues.ts';
import type { Feature, FeatureContract } from './contract.ts';
import { tableOf } from './featureLayout.ts';

/** Columns that may be copied to the output as row keys. */
export function rowKeyRequirements(contract: FeatureContract): ColumnRequirement[] {
  return contract.rowKeys.map((column) => ({
    column,
    required: true,
    accepts: isRowKeyType,
    expected: `${ROW_KEY_TYPES} (row key)`,
  }));
}

/** One requirement per feature column. A column that several features read must satisfy all of them. */
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

/**
 * The data of a batch's column; undefined when it is absent and not required.
 * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE
 */
export function findColumn(batch: RecordBatch, requirement: ColumnRequirement): Data | undefined {
  const { column, required, accepts, expected } = requirement;
  const data = columnOf(batch, column);
  if (data === undefined) {
    if (!required) return undefined;
    throw new ContractError('CONTRACT_COLUMN_MISSING', 'the batch lacks a required column', {
      column,
      expected,
      found: `the columns ${batch.schema.fields.map(({ name }) => name).join(', ')}`,
    });
  }
  if (!accepts(dictionaryOf(data)?.type ?? data.type)) {
    throw new ContractError('CONTRACT_COLUMN_TYPE', 'the column has another type than the contract', {
      column,
      expected,
      found: String(data.type),
    });
  }
  return data;
}

function requirementOf(contract: FeatureContract, feature: Feature): ColumnRequirement {
  const { column, required } = feature;
  if (feature.kind === 'numeric' || feature.kind === 'bucketed') {
    return { column, required, accepts: isNumberColumn, expected: 'a number column' };
  }
  const { type } = tableOf(contract, feature).definition;
  const acceptsValue = type === 'int' ? isIntColumn : isStringColumn;
  if (feature.kind === 'categorical') {
    const expected = type === 'int' ? 'an integer column' : 'a string column';
    return { column, required, accepts: acceptsValue, expected };
  }
  return {
    column,
    required,
    accepts: (listType) =>
      DataType.isNull(listType) || (DataType.isList(listType) && acceptsValue(elementType(listType))),
    expected: type === 'int' ? 'a list of integers' : 'a list of strings',
  };
}

function elementType(type: List): DataType {
  const element = type.children[0]!.type as DataType;
  return DataType.isDictionary(element) ? element.dictionary : element;
}
