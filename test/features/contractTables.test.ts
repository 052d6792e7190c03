import { describe, expect, it } from 'vitest';
import { minimal, problemsOf, withFeature } from './contractProblems.ts';

const fittedVocabulary = { entries: 1, file: 'vocabularies/a.vocab', sha256: 'a'.repeat(64) };
const intTable = { type: 'int', vocabulary: {} };

describe('the tables and vocabularies of a contract', () => {
  it.each(['int', 'string'])('lists ten wrong values of a table of type %s and no more', (type) => {
    const twelve = Array.from({ length: 12 }, (_, i) => `x${i}`);
    const table = { type, missingValues: twelve, vocabulary: {} };
    expect(problemsOf(withFeature({ kind: 'categorical', column: 'a', table }))).toHaveLength(
      type === 'int' ? 10 : 0,
    );
  });

  it('demands exactly one of vocabulary and hash of inline tables too', () => {
    const neither = { kind: 'categorical', column: 'a', table: { type: 'int' } };
    expect(problemsOf(withFeature(neither))).toEqual([
      "features.0.table: give exactly one of 'vocabulary' and 'hash'",
    ]);
  });

  it.each([
    { kind: 'categorical', column: 'item', table: intTable },
    { kind: 'list', column: 'item', table: intTable, maxLength: 1, keep: 'last' },
    { kind: 'bucketed', column: 'item', buckets: 4 },
    { kind: 'bucketed', name: 'item', column: 'x', buckets: 4 },
  ])("refuses a feature whose own table would take a shared table's name: %j", (feature) => {
    const user = { kind: 'categorical', column: 'user', table: 'item' };
    expect(problemsOf({ ...minimal, tables: { item: intTable }, features: [feature, user] })).toEqual([
      "features.0: the name 'item' is taken by a shared table",
    ]);
  });

  it('lets a feature be called like the shared table that it uses, or like any when it has none', () => {
    const features = [
      { kind: 'categorical', column: 'item', table: 'item' },
      { kind: 'numeric', column: 'price', name: 'other' },
      { kind: 'categorical', column: 'x', table: 'other' },
    ];
    expect(problemsOf({ ...minimal, tables: { item: intTable, other: intTable }, features })).toEqual([]);
  });

  it.each([
    [{ entries: -1 }, 'entries'],
    [{ entries: 2 ** 27 + 1 }, 'entries'],
    [{ file: '../vocabularies/a.vocab' }, 'file'],
    [{ file: 'vocabularies/../a.vocab' }, 'file'],
    [{ file: 'vocabularies/.a.vocab' }, 'file'],
    [{ file: '/vocabularies/a.vocab' }, 'file'],
    [{ file: 'model.onnx' }, 'file'],
    [{ sha256: 'A'.repeat(64) }, 'sha256'],
    [{ sha256: undefined }, 'sha256'],
  ])('refuses a fitted vocabulary with %j', (change, key) => {
    const vocabulary = { fitted: { ...fittedVocabulary, ...change } };
    const problems = problemsOf(
      withFeature({ kind: 'categorical', column: 'a', table: { type: 'int', vocabulary } }),
    );
    expect(problems).toEqual([expect.stringContaining(`features.0.table.vocabulary.fitted.${key}: `)]);
  });

  it('refuses the values of a vocabulary within the document, as bundles of format 1 have them', () => {
    const table = { type: 'int', vocabulary: { fitted: { values: ['1'] } } };
    expect(problemsOf(withFeature({ kind: 'categorical', column: 'a', table }))).toHaveLength(4);
  });

  it('refuses two tables that name one vocabulary file', () => {
    const table = { type: 'int', vocabulary: { fitted: fittedVocabulary } };
    const features = [
      { kind: 'categorical', column: 'a', table: 'shared' },
      { kind: 'list', column: 'b', table: 'shared', maxLength: 1, keep: 'last' },
    ];
    expect(problemsOf({ ...minimal, tables: { shared: table }, features })).toEqual([]);
    const twice = [...features, { kind: 'categorical', column: 'c', table }];
    expect(problemsOf({ ...minimal, tables: { shared: table }, features: twice })).toEqual([
      "two tables name the file 'vocabularies/a.vocab'",
    ]);
  });

  it('names the wrong key inside an inline table instead of the union it is part of', () => {
    const table = { type: 'integer', hash: { buckets: 0 } };
    const problems = problemsOf(withFeature({ kind: 'categorical', column: 'a', table }));
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'features.0.table.type',
      'features.0.table.hash.buckets',
    ]);
  });
});
