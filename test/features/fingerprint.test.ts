import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../lib/base/digest.ts';
import { contractFingerprint, parseContract } from '../../lib/features/contract.ts';

const fitted = {
  contractVersion: 1,
  rowKeys: ['id'],
  tables: {
    item: {
      type: 'int',
      vocabulary: {
        minCount: 2,
        fitted: { entries: 2, file: 'vocabularies/item.vocab', sha256: 'a'.repeat(64) },
      },
    },
  },
  features: [
    { kind: 'categorical', column: 'item', table: 'item' },
    {
      kind: 'list',
      column: 'tags',
      table: { type: 'string', hash: { buckets: 7 } },
      maxLength: 2,
      keep: 'first',
    },
    { kind: 'numeric', column: 'price', fitted: { mean: 0.1, standardDeviation: 2, rows: 10 } },
    { kind: 'bucketed', column: 'age', buckets: 4, fitted: { boundaries: [1, 2.5] } },
  ],
};

function reversedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversedKeys(member)]),
  );
}

function changed(path: readonly (string | number)[], value: unknown): string {
  const document = structuredClone(fitted) as unknown;
  let parent = document as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  parent[path[path.length - 1]!] = value;
  return contractFingerprint(parseContract(document));
}

describe('contractFingerprint', () => {
  const own = contractFingerprint(parseContract(fitted));

  it('is pinned: bundles on disk carry it', () => {
    // Computed by another program: sha256 of the document with defaults, keys sorted, no white space.
    expect(own).toBe('sha256:aeb6da844dbc8a1b29f3cd15e3851cd7ea6fde0d2e472e1655d474513b3bc78f');
  });

  it('does not depend on key order, on a JSON round trip or on defaults being written out', () => {
    const contract = parseContract(fitted);
    expect(contractFingerprint(parseContract(reversedKeys(fitted)))).toBe(own);
    const reread = parseContract(JSON.parse(JSON.stringify(contract)));
    expect(reread).toEqual(contract);
    expect(contractFingerprint(reread)).toBe(own);
  });

  it.each<[(string | number)[], unknown]>([
    [['rowKeys', 0], 'key'],
    [['tables', 'item', 'vocabulary', 'fitted', 'entries'], 3],
    [['tables', 'item', 'vocabulary', 'fitted', 'sha256'], 'b'.repeat(64)],
    [['tables', 'item', 'missingValues'], [-1]],
    [['features', 1, 'table', 'hash', 'seed'], 1],
    [['features', 1, 'table', 'hash', 'buckets'], 8],
    [['features', 1, 'keep'], 'last'],
    [['features', 2, 'fitted', 'mean'], 0.1 + 2 ** -56],
    [['features', 2, 'fitted', 'standardDeviation'], 2.0000000000000004],
    [['features', 2, 'log1p'], true],
    [['features', 3, 'fitted', 'boundaries', 1], 2.5000000000000004],
    [['features', 3, 'required'], false],
  ])('changes with %j', (path, value) => {
    expect(changed(path, value)).not.toBe(own);
  });

  it("changes with the order of the features, which is the order of the model's inputs", () => {
    expect(changed(['features'], [...fitted.features].reverse())).not.toBe(own);
  });
});

describe('canonicalJson', () => {
  it('sorts keys, keeps array order, and leaves undefined members out as JSON does', () => {
    expect(canonicalJson({ b: [3, { z: null, a: 'é"' }], a: undefined, A: true })).toBe(
      '{"A":true,"b":[3,{"a":"é\\"","z":null}]}',
    );
  });
});
