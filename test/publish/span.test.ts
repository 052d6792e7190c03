import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutSpans, partIdOf } from '../../lib/publish/span.ts';

const model = { version: 'v', sha256: 'a'.repeat(64), contractFingerprint: 'sha256:b' };
const cut = (rowCounts: readonly number[], targetRows: number) =>
  cutSpans('s3://b/a', '"e"', rowCounts, targetRows);

describe('spans', () => {
  it('tile the row groups in order, each at the target but the last', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.integer({ min: 1, max: 120 }), (rowCounts, targetRows) => {
        const spans = cut(rowCounts, targetRows);
        let next = 0;
        for (const { firstRowGroup, endRowGroup, rows } of spans) {
          expect(firstRowGroup).toBe(next);
          expect(rows).toBe(
            rowCounts.slice(firstRowGroup, endRowGroup).reduce((sum, count) => sum + count, 0),
          );
          next = endRowGroup;
        }
        expect(next).toBe(rowCounts.length);
        for (const { firstRowGroup, endRowGroup, rows } of spans.slice(0, -1)) {
          expect(rows).toBeGreaterThanOrEqual(targetRows);
          const withoutLast = rowCounts.slice(firstRowGroup, endRowGroup - 1).reduce((a, b) => a + b, 0);
          expect(withoutLast).toBeLessThan(targetRows);
        }
      }),
    );
  });

  it('of a shard without row groups are one without rows: the shard is in the manifest too', () => {
    expect(cut([], 100)).toMatchObject([{ firstRowGroup: 0, endRowGroup: 0, rows: 0 }]);
  });
});

describe("a part's name", () => {
  const [span] = cut([10, 10], 100);
  const id = partIdOf(span!, model);

  it('is the same for the same work, whatever the model is called and however many rows the plan saw', () => {
    expect(partIdOf({ ...span! }, { ...model, version: 'renamed' })).toBe(id);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is another one for another input, version, span, model or contract', () => {
    const others = [
      partIdOf({ ...span!, inputUri: 's3://b/c' }, model),
      partIdOf({ ...span!, inputVersion: '"f"' }, model),
      partIdOf({ ...span!, firstRowGroup: 1 }, model),
      partIdOf({ ...span!, endRowGroup: 1 }, model),
      partIdOf(span!, { ...model, sha256: 'c' }),
      partIdOf(span!, { ...model, contractFingerprint: 'c' }),
    ];
    expect(new Set([id, ...others]).size).toBe(7);
  });
});
