import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseContract } from '../../lib/features/contract.ts';
import { minimal, problemsOf, withFeature } from './contractProblems.ts';

const fittedVocabulary = { entries: 1, file: 'vocabularies/a.vocab', sha256: 'a'.repeat(64) };
const intTable = { type: 'int', vocabulary: {} };

describe('parseContract', () => {
  it('accepts the example of docs/features.md', () => {
    const guide = readFileSync(new URL('../../docs/features.md', import.meta.url), 'utf8');
    const example = /```json\n([^`]+)```/.exec(guide)?.[1] ?? '';
    expect(problemsOf(JSON.parse(example))).toEqual([]);
  });

  it('fills in every default that docs/features.md names', () => {
    const contract = parseContract({
      contractVersion: 1,
      rowKeys: ['id'],
      features: [
        { kind: 'categorical', column: 'user', table: { type: 'int', vocabulary: {} } },
        {
          kind: 'list',
          column: 'tags',
          table: { type: 'string', hash: { buckets: 9 } },
          maxLength: 3,
          keep: 'last',
        },
        { kind: 'numeric', column: 'price' },
        { kind: 'bucketed', column: 'age', buckets: 8 },
      ],
    });
    expect(contract.tables).toEqual({});
    expect(contract.features).toEqual([
      {
        kind: 'categorical',
        column: 'user',
        required: true,
        table: { type: 'int', vocabulary: { minCount: 1, maxEntries: 5_000_000 }, missingValues: [] },
      },
      {
        kind: 'list',
        column: 'tags',
        required: true,
        table: { type: 'string', hash: { buckets: 9, seed: 0 }, missingValues: [] },
        maxLength: 3,
        keep: 'last',
      },
      {
        kind: 'numeric',
        column: 'price',
        required: true,
        missingValues: [],
        log1p: false,
        standardise: true,
      },
      { kind: 'bucketed', column: 'age', required: true, missingValues: [], buckets: 8 },
    ]);
  });

  it('refuses unknown keys at every level and names them', () => {
    const problems = problemsOf({
      ...minimal,
      extra0: 1,
      tables: {
        shared: {
          type: 'int',
          vocabulary: { extra1: 1, fitted: { ...fittedVocabulary, extra2: 1 } },
          extra3: 1,
        },
      },
      features: [
        { kind: 'categorical', column: 'a', table: 'shared', extra4: 1 },
        {
          kind: 'categorical',
          column: 'b',
          table: { type: 'int', hash: { buckets: 2, extra5: 1 }, extra6: 1 },
        },
        { kind: 'numeric', column: 'c', clip: { min: 0, extra7: 1 }, log1p: false, extra8: 1 },
        { kind: 'numeric', column: 'd', fitted: { mean: 0, standardDeviation: 1, rows: 1, extra9: 1 } },
        { kind: 'bucketed', column: 'e', buckets: 2, extra10: 1, fitted: { boundaries: [], extra11: 1 } },
        { kind: 'list', column: 'f', table: 'shared', maxLength: 1, keep: 'last', extra12: 1 },
      ],
    });
    const named = problems.join('\n').match(/"extra\d+"/g) ?? [];
    expect(named.sort()).toEqual(Array.from({ length: 13 }, (_, i) => `"extra${i}"`).sort());
  });

  it('reports wrong shapes and broken references in one error', () => {
    const problems = problemsOf({
      contractVersion: 2,
      rowKeys: ['id', 'id'],
      tables: { unused: intTable, both: { type: 'int', vocabulary: {}, hash: { buckets: 4 } } },
      features: [
        { kind: 'categorical', column: 'a', table: 'nowhere' },
        { kind: 'list', column: 'b', table: 'both', maxLength: 0, keep: 'middle' },
        { kind: 'numeric', column: 'c', clip: { min: 2, max: 1 } },
        { kind: 'numeric', column: 'c' },
        { kind: 'colour', column: 'd' },
      ],
    });
    const text = problems.join('\n');
    for (const expected of [
      'contractVersion: ',
      "rowKeys: 'id' is listed twice",
      "features.0.table: no table 'nowhere' (tables: unused, both)",
      'features.1.maxLength: ',
      'features.1.keep: ',
      "tables.both: give exactly one of 'vocabulary' and 'hash'",
      'tables.unused: no feature uses this table',
      'features.2.clip: min 2 must be below max 1',
      "features: two features are called 'c'; give one a 'name'",
      'features.4.kind: ',
    ]) {
      expect(text).toContain(expected);
    }
    expect(problems).toHaveLength(10);
  });

  it.each([null, 7, 'text', [], {}, { features: 7 }, { features: [7, null] }, { tables: [] }])(
    'reports problems, and nothing else, for the document %j',
    (document) => {
      expect(problemsOf(document).length).toBeGreaterThan(0);
    },
  );

  it.each([
    ['minCount', 1, Number.MAX_SAFE_INTEGER],
    ['maxEntries', 1, 2 ** 27],
    ['hash buckets', 1, 2 ** 30],
    ['seed', 0, Number.MAX_SAFE_INTEGER],
    ['maxLength', 1, 1000],
    ['buckets', 2, 10_000],
    ['fitted rows', 0, Number.MAX_SAFE_INTEGER],
  ])('takes %s from %d to %d, whole numbers only', (key, least, most) => {
    const featureWith = (value: number) => {
      const categorical = (table: object) => ({ kind: 'categorical', column: 'a', table });
      const intTableWith = (vocabulary: object) => categorical({ type: 'int', vocabulary });
      const fitted = { mean: 0, standardDeviation: 1, rows: value };
      const list = { kind: 'list', column: 'a', table: intTable, keep: 'last', maxLength: value };
      const features: Readonly<Record<string, object>> = {
        minCount: intTableWith({ minCount: value }),
        maxEntries: intTableWith({ maxEntries: value }),
        'hash buckets': categorical({ type: 'int', hash: { buckets: value } }),
        seed: categorical({ type: 'int', hash: { buckets: 2, seed: value } }),
        maxLength: list,
        buckets: { kind: 'bucketed', column: 'a', buckets: value },
        'fitted rows': { kind: 'numeric', column: 'a', fitted },
      };
      return withFeature(features[key]!);
    };
    for (const value of [least, most]) expect(problemsOf(featureWith(value))).toEqual([]);
    for (const value of [least - 1, least + 0.5, most + 1]) {
      expect(problemsOf(featureWith(value))).toHaveLength(1);
    }
  });

  it('demands a row key, a feature, and names that are not empty', () => {
    expect(problemsOf({ ...minimal, rowKeys: [] })).toHaveLength(1);
    expect(problemsOf({ ...minimal, features: [] })).toHaveLength(1);
    expect(problemsOf({ ...minimal, rowKeys: [''] })).toHaveLength(1);
    expect(problemsOf(withFeature({ kind: 'numeric', column: '' }))).toHaveLength(1);
    const named = (name: string) => problemsOf(withFeature({ kind: 'numeric', column: 'a', name }));
    expect(named('_a.b-9')).toEqual([]);
    for (const name of ['', '9a', 'a b', 'é']) {
      expect(named(name)).toEqual(['features.0.name: letters, digits, _ . - only']);
    }
  });

  it('calls a document without an origin the feature contract', () => {
    expect(() => parseContract({})).toThrow('feature contract is invalid');
  });

  it('says that there are no shared tables when a feature names one', () => {
    expect(problemsOf(withFeature({ kind: 'categorical', column: 'a', table: 'nowhere' }))).toEqual([
      "features.0.table: no table 'nowhere' (tables: none)",
    ]);
  });

  it('reports bounds of the wrong type once, not also for their order', () => {
    const clip = { min: '2', max: '1' };
    expect(problemsOf(withFeature({ kind: 'numeric', column: 'a', clip }))).toHaveLength(2);
    for (const half of [
      { min: 2, max: '1' },
      { min: '2', max: 1 },
    ]) {
      expect(problemsOf(withFeature({ kind: 'numeric', column: 'a', clip: half }))).toHaveLength(1);
    }
    const fitted = { boundaries: [2, '1'] };
    expect(problemsOf(withFeature({ kind: 'bucketed', column: 'a', buckets: 4, fitted }))).toHaveLength(1);
  });

  it('accepts clip bounds alone, but not equal or reversed', () => {
    const clipped = (clip: object) => problemsOf(withFeature({ kind: 'numeric', column: 'a', clip }));
    expect(clipped({ min: 0 })).toEqual([]);
    expect(clipped({ max: 0 })).toEqual([]);
    expect(clipped({ min: 0, max: 1 })).toEqual([]);
    expect(clipped({ min: 1, max: 1 })).toEqual(['features.0.clip: min 1 must be below max 1']);
  });

  it('lets a feature have its column as name only once, but any number of names for one column', () => {
    const numeric = (name?: string) => ({
      kind: 'numeric',
      column: 'a',
      ...(name === undefined ? {} : { name }),
    });
    const problems = (...features: object[]) => problemsOf({ ...minimal, features });
    expect(problems(numeric(), numeric('b'), numeric('c'))).toEqual([]);
    expect(problems(numeric(), numeric('b'), { kind: 'numeric', column: 'b' })).toEqual([
      "features: two features are called 'b'; give one a 'name'",
    ]);
  });

  it.each(['x', '1.5', '07', '-0', '', '9223372036854775808', '-9223372036854775809', '1e3', ' 1'])(
    'refuses %j as a missing value of an int table',
    (value) => {
      const table = { type: 'int', missingValues: [value, -1], vocabulary: {} };
      expect(problemsOf(withFeature({ kind: 'categorical', column: 'a', table }))).toEqual([
        `features.0.table: '${value}' is not an int64 in plain decimal digits`,
      ]);
    },
  );

  it('takes the ends of int64 as text and refuses numbers that JSON can not hold exactly', () => {
    const table = (missingValues: unknown[]) => ({ type: 'int', missingValues, hash: { buckets: 2 } });
    const problems = (values: unknown[]) =>
      problemsOf(withFeature({ kind: 'categorical', column: 'a', table: table(values) }));
    expect(problems(['9223372036854775807', '-9223372036854775808', -1, 0])).toEqual([]);
    expect(problems([2 ** 53]).length).toBeGreaterThan(0);
    expect(problems([1.5])).toEqual([
      'features.0.table.missingValues.0: Invalid input: expected string or int',
    ]);
  });

  it('refuses row keys with the name of a score, which could never be written', () => {
    const rowKeys = ['id', 'pctr', 'pcvr', 'pctcvr'];
    expect(problemsOf({ ...withFeature({ kind: 'numeric', column: 'pctr' }), rowKeys })).toEqual(
      ['pctr', 'pcvr', 'pctcvr'].map((key) => `rowKeys: '${key}' is the name of a score in the output`),
    );
  });

  it('refuses boundaries that do not ascend, and a standard deviation that is not positive', () => {
    const bucketed = (boundaries: number[]) =>
      problemsOf(withFeature({ kind: 'bucketed', column: 'a', buckets: 4, fitted: { boundaries } }));
    expect(bucketed([1, 2, 3])).toEqual([]);
    expect(bucketed([1, 1])).toEqual(['features.0.fitted.boundaries: must ascend']);
    expect(bucketed([2, 1])).toEqual(['features.0.fitted.boundaries: must ascend']);
    const fitted = { mean: 0, standardDeviation: 0, rows: 1 };
    expect(problemsOf(withFeature({ kind: 'numeric', column: 'a', fitted }))).toHaveLength(1);
  });
});
