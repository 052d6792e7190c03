import { ContractError } from '../base/errors.ts';
import {
  type BucketedFeature,
  type CategoricalFeature,
  type FeatureContract,
  featureName,
  type ListFeature,
  type NumericFeature,
  type TableDefinition,
} from './contract.ts';

/*
 * Shape legend of this folder:
 *   B  rows in a batch
 *   C  single-valued fields: categorical features in contract order, then bucketed ones
 *   M  list fields; list field m takes up to n_m values, L = sum of n_m
 *   N  numeric features, two dense columns each
 *   R  rows of all embedding tables together: one matrix [R, E], each table a range of its rows
 * A field's row 0 of its table stands for missing or unseen values.
 */

/** Where an embedding table lies: rows [rowStart, rowStart + rowCount) of the joint matrix. */
interface TableRange {
  readonly name: string;
  readonly rowStart: number;
  readonly rowCount: number;
}

export interface SingleField {
  readonly name: string;
  readonly feature: CategoricalFeature | BucketedFeature;
  readonly table: TableRange;
}

export interface ListField {
  readonly name: string;
  readonly feature: ListFeature;
  readonly table: TableRange;
  /** First of the field's `feature.maxLength` positions among the L list positions. */
  readonly position: number;
}

export interface NumericField {
  readonly name: string;
  readonly feature: NumericFeature;
}

/** Where every feature of a fitted contract lands in an encoded batch. */
export interface FeatureLayout {
  readonly tables: readonly TableRange[];
  readonly singles: readonly SingleField[];
  readonly lists: readonly ListField[];
  readonly numerics: readonly NumericField[];
  /** L: positions of all list fields together. */
  readonly listWidth: number;
  /** 2N: per numeric feature its value (0 when missing) and a flag (1 when missing). */
  readonly denseWidth: number;
  /** R: rows of the joint embedding matrix. */
  readonly embeddingRowCount: number;
}

/** The table a categorical or list feature looks its ids up in, with the name it goes by. */
export function tableOf(
  contract: FeatureContract,
  feature: CategoricalFeature | ListFeature,
): { readonly name: string; readonly definition: TableDefinition } {
  if (typeof feature.table !== 'string') return { name: featureName(feature), definition: feature.table };
  const definition = contract.tables[feature.table];
  if (definition === undefined) {
    throw new ContractError('CONTRACT_INVALID', `no table '${feature.table}'`, { column: feature.column });
  }
  return { name: feature.table, definition };
}

/** @throws ContractError CONTRACT_NOT_FITTED when a vocabulary, mean or boundary was not learned yet */
export function featureLayout(contract: FeatureContract): FeatureLayout {
  const tables = new Map<string, TableRange>();
  let embeddingRowCount = 0;
  const tableFor = (name: string, rowCount: number): TableRange => {
    const existing = tables.get(name);
    if (existing !== undefined) return existing;
    const table = { name, rowStart: embeddingRowCount, rowCount };
    embeddingRowCount += rowCount;
    tables.set(name, table);
    return table;
  };
  const idTableFor = (feature: CategoricalFeature | ListFeature): TableRange => {
    const { name, definition } = tableOf(contract, feature);
    const values = definition.hash?.buckets ?? definition.vocabulary?.fitted?.entries;
    if (values === undefined) throw notFitted(feature.column, 'a vocabulary');
    return tableFor(name, values + 1);
  };

  const categoricals: SingleField[] = [];
  const bucketed: SingleField[] = [];
  const lists: ListField[] = [];
  const numerics: NumericField[] = [];
  let listWidth = 0;
  for (const feature of contract.features) {
    const name = featureName(feature);
    if (feature.kind === 'categorical') {
      categoricals.push({ name, feature, table: idTableFor(feature) });
    } else if (feature.kind === 'bucketed') {
      if (feature.fitted === undefined) throw notFitted(feature.column, 'bucket boundaries');
      bucketed.push({ name, feature, table: tableFor(name, feature.fitted.boundaries.length + 2) });
    } else if (feature.kind === 'list') {
      lists.push({ name, feature, table: idTableFor(feature), position: listWidth });
      listWidth += feature.maxLength;
    } else {
      if (feature.standardise && feature.fitted === undefined) throw notFitted(feature.column, 'a mean');
      numerics.push({ name, feature });
    }
  }
  return {
    tables: [...tables.values()],
    singles: [...categoricals, ...bucketed],
    lists,
    numerics,
    listWidth,
    denseWidth: 2 * numerics.length,
    embeddingRowCount,
  };
}

function notFitted(column: string, what: string): ContractError {
  return new ContractError('CONTRACT_NOT_FITTED', `the contract must be fitted on training shards first`, {
    column,
    expected: what,
    found: 'none',
  });
}
