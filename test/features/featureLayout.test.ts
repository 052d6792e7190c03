import { describe, expect, it } from 'vitest';
import { ContractError } from '../../lib/base/errors.ts';
import type { CategoricalFeature, FeatureContract } from '../../lib/features/contract.ts';
import { allocateEncodedRows, sliceEncodedRows } from '../../lib/features/encodedRows.ts';
import { featureLayout, tableOf } from '../../lib/features/featureLayout.ts';
import { fittedContract } from './fittedVocabularies.ts';

function contractOf(features: readonly object[], tables: object = {}): FeatureContract {
  return fittedContract({ contractVersion: 1, rowKeys: ['id'], tables, features }).contract;
}

const mixed = contractOf(
  [
    { kind: 'bucketed', column: 'age', buckets: 9, fitted: { boundaries: [1, 2] } },
    { kind: 'list', column: 'history', table: 'video', maxLength: 5, keep: 'last' },
    { kind: 'numeric', column: 'price', standardise: false },
    { kind: 'categorical', column: 'video', table: 'video' },
    {
      kind: 'list',
      column: 'tags',
      table: { type: 'string', hash: { buckets: 10 } },
      maxLength: 3,
      keep: 'first',
    },
    { kind: 'numeric', column: 'weight', fitted: { mean: 0, standardDeviation: 1, rows: 1 } },
    { kind: 'categorical', name: 'town', column: 'city', table: { type: 'string', hash: { buckets: 4 } } },
  ],
  { video: { type: 'int', vocabulary: { fitted: { values: ['7', '8', '9'] } } } },
);

describe('featureLayout', () => {
  const layout = featureLayout(mixed);

  it('puts categorical features before bucketed ones, both in contract order', () => {
    expect(layout.singles.map(({ name }) => name)).toEqual(['video', 'town', 'age']);
    expect(layout.lists.map(({ name, position }) => [name, position])).toEqual([
      ['history', 0],
      ['tags', 5],
    ]);
    expect(layout.numerics.map(({ name }) => name)).toEqual(['price', 'weight']);
    expect([layout.listWidth, layout.denseWidth]).toEqual([8, 4]);
  });

  it('gives every table its rows, one more than values for missing and unseen, without gap or overlap', () => {
    expect(layout.tables).toEqual([
      { name: 'age', rowStart: 0, rowCount: 4 },
      { name: 'video', rowStart: 4, rowCount: 4 },
      { name: 'tags', rowStart: 8, rowCount: 11 },
      { name: 'town', rowStart: 19, rowCount: 5 },
    ]);
    expect(layout.embeddingRowCount).toBe(24);
    expect(layout.singles[0]!.table).toBe(layout.lists[0]!.table);
  });

  it.each([
    [{ kind: 'categorical', column: 'a', table: { type: 'int', vocabulary: {} } }, 'a vocabulary'],
    [{ kind: 'bucketed', column: 'a', buckets: 2 }, 'bucket boundaries'],
    [{ kind: 'numeric', column: 'a' }, 'a mean'],
  ])('refuses what was not fitted: %j', (feature, expected) => {
    const attempt = () => featureLayout(contractOf([feature]));
    expect(attempt).toThrow(ContractError);
    expect(attempt).toThrow(/CONTRACT_NOT_FITTED: column 'a'/);
    expect(attempt).toThrow(`expected ${expected}`);
  });
});

describe('tableOf', () => {
  it('refuses a reference to a table that the contract lacks', () => {
    const feature = mixed.features.find((each): each is CategoricalFeature => each.kind === 'categorical')!;
    expect(() => tableOf({ ...mixed, tables: {} }, feature)).toThrow(/CONTRACT_INVALID: column 'video'/);
  });
});

describe('sliceEncodedRows', () => {
  it('gives views of the rows asked for on the same memory', () => {
    const layout = featureLayout(mixed);
    const rows = allocateEncodedRows(layout, 6);
    rows.singleRows.forEach((_, i) => {
      rows.singleRows[i] = i;
    });
    const part = sliceEncodedRows(layout, rows, 2, 5);
    expect(part.rowCapacity).toBe(3);
    expect([...part.singleRows]).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect([part.listRows.length, part.listWeights.length, part.dense.length]).toEqual([24, 24, 12]);
    part.dense[0] = 9;
    expect(rows.dense[2 * 4]).toBe(9);
  });
});
