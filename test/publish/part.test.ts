import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutParts, type Part, partIdOf } from '../../lib/publish/part.ts';
import { cutShard, type NamedShape, wholeSpan } from '../../lib/publish/span.ts';

const model = { version: 'v', sha256: 'a'.repeat(64), contractFingerprint: 'sha256:b' };
const shape = (shard: string, rowCounts: readonly number[], version = '"e"'): NamedShape => ({
  shard,
  version,
  sizeBytes: 7,
  rowCounts,
});
const rowsOf = ({ rowCounts }: NamedShape) => rowCounts.reduce((sum, count) => sum + count, 0);

/** Shards in binary order, of up to 60 names; most are smaller than the target of 100 rows. */
const shards = fc
  .uniqueArray(fc.tuple(fc.nat(59), fc.array(fc.nat(40), { maxLength: 5 })), {
    selector: ([name]) => name,
    maxLength: 60,
    size: 'max',
  })
  .map((all) =>
    all.sort(([a], [b]) => a - b).map(([name, rowCounts]) => shape(String(name).padStart(2, '0'), rowCounts)),
  );
const TARGET = 100;
const cut = (of: readonly NamedShape[]) => cutParts(of, TARGET, model);

describe('spans of a shard', () => {
  it('tile its row groups in order, each at the target but the last', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.integer({ min: 1, max: 120 }), (rowCounts, targetRows) => {
        const spans = cutShard(shape('a', rowCounts), targetRows);
        let next = 0;
        for (const { firstRowGroup, endRowGroup, rows } of spans) {
          expect(firstRowGroup).toBe(next);
          expect(rows).toBe(rowsOf(shape('a', rowCounts.slice(firstRowGroup, endRowGroup))));
          next = endRowGroup;
        }
        expect(next).toBe(rowCounts.length);
        for (const { firstRowGroup, endRowGroup, rows } of spans.slice(0, -1)) {
          expect(rows).toBeGreaterThanOrEqual(targetRows);
          expect(rowsOf(shape('a', rowCounts.slice(firstRowGroup, endRowGroup - 1)))).toBeLessThan(
            targetRows,
          );
        }
      }),
    );
  });

  it('without row groups are one without rows: the shard is in the manifest too', () => {
    expect(cutShard(shape('a', []), TARGET)).toMatchObject([{ firstRowGroup: 0, endRowGroup: 0, rows: 0 }]);
  });
});

describe('parts', () => {
  it('hold every row group of every shard once, in the order of the input', () => {
    fc.assert(
      fc.property(shards, (all) => {
        const found = cut(all)
          .flatMap(({ spans }) => spans)
          .flatMap(({ shard, firstRowGroup, endRowGroup }) =>
            firstRowGroup === endRowGroup
              ? [`${shard} empty`]
              : Array.from(
                  { length: endRowGroup - firstRowGroup },
                  (_, i) => `${shard} ${firstRowGroup + i}`,
                ),
          );
        const wanted = all.flatMap(({ shard, rowCounts }) =>
          rowCounts.length === 0 ? [`${shard} empty`] : rowCounts.map((_, i) => `${shard} ${i}`),
        );
        expect(found).toEqual(wanted);
        for (const { rows, spans } of cut(all)) {
          expect(rows).toBe(spans.reduce((sum, span) => sum + span.rows, 0));
        }
      }),
    );
  });

  it('have names of their own', () => {
    fc.assert(
      fc.property(shards, (all) => {
        const ids = cut(all).map(({ partId }) => partId);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  const change = fc.record({
    name: fc.nat(59).map((name) => String(name).padStart(2, '0')),
    rowCounts: fc.array(fc.nat(40), { maxLength: 5 }),
    isRemoved: fc.boolean(),
  });

  it('are at most two others when a shard comes, goes or is replaced, beside those that hold nothing but it', () => {
    let changed = 0;
    fc.assert(
      fc.property(shards, change, (before, { name, rowCounts, isRemoved }) => {
        const others = before.filter(({ shard }) => shard !== name);
        const after = isRemoved
          ? others
          : [...others, shape(name, rowCounts, '"new"')].sort((a, b) => (a.shard < b.shard ? -1 : 1));
        const ofOthers = (parts: readonly Part[]) =>
          parts.filter(({ spans }) => spans.some(({ shard }) => shard !== name));
        const [was, is] = [ofOthers(cut(before)), ofOthers(cut(after))];
        const missing = (from: readonly Part[], to: readonly Part[]) =>
          to.filter(({ partId }) => !from.some((part) => part.partId === partId)).length;
        expect(missing(was, is)).toBeLessThanOrEqual(2);
        expect(missing(is, was)).toBeLessThanOrEqual(2);
        changed += missing(was, is);
      }),
      { numRuns: 500 },
    );
    expect(changed, 'some change something').toBeGreaterThan(0);
  });

  it('have the target on average: 2,000 shards of 500 rows make a handful of 1,000,000, and about 100 of 10,000', () => {
    const small = Array.from({ length: 2000 }, (_, i) => shape(`part-${i}.parquet`, [500]));
    expect(cutParts(small, 1_000_000, model).length).toBeLessThan(6);
    const parts = cutParts(small, 10_000, model);
    expect(parts.length).toBeGreaterThan(70);
    expect(parts.length).toBeLessThan(140);
    expect(Math.max(...parts.map(({ rows }) => rows))).toBeLessThan(100_000);
  });

  it('of shards without rows end, too: no part holds all of 40,000', () => {
    const empty = Array.from({ length: 40_000 }, (_, i) => shape(`part-${i}.parquet`, []));
    const counts = cutParts(empty, 1_000_000, model).map(({ spans }) => spans.length);
    expect(Math.max(...counts)).toBeLessThan(30_000);
    expect(counts.length).toBeGreaterThan(3);
  });
});

describe("a part's name", () => {
  const [whole, second] = [wholeSpan(shape('a', [10, 10])), wholeSpan(shape('b', [10]))];
  const id = partIdOf([whole, second], model);

  it('is the same for the same work, whatever the model is called', () => {
    expect(partIdOf([{ ...whole }, second], { ...model, version: 'renamed' })).toBe(id);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is another one for other shards, versions, row groups, another order, model or contract', () => {
    const others = [
      partIdOf([whole], model),
      partIdOf([second, whole], model),
      partIdOf([{ ...whole, shard: 'c' }, second], model),
      partIdOf([{ ...whole, version: '"f"' }, second], model),
      partIdOf([{ ...whole, firstRowGroup: 1 }, second], model),
      partIdOf([{ ...whole, endRowGroup: 1 }, second], model),
      partIdOf([whole, second], { ...model, sha256: 'c' }),
      partIdOf([whole, second], { ...model, contractFingerprint: 'c' }),
    ];
    expect(new Set([id, ...others]).size).toBe(9);
  });
});
