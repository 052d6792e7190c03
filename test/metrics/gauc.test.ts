import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Gauc, type UserKey } from '../../lib/metrics/gauc.ts';
import { rows, splitRows } from './arbitraries.ts';
import { gaucByPairs } from './definitions.ts';

function gaucState(labelled: readonly { user: UserKey; score: number; label: number }[]): Gauc {
  const gauc = new Gauc();
  for (const { user, score, label } of labelled) gauc.add(user, score, label);
  return gauc;
}

describe('GAUC', () => {
  test('weighs users by their rows and skips users with one class', () => {
    const gauc = gaucState([
      // u: 3 rows, AUC 1/2 (the positive beats one of two negatives).
      { user: 'u', score: 0.5, label: 1 },
      { user: 'u', score: 0.2, label: 0 },
      { user: 'u', score: 0.9, label: 0 },
      // v: 2 rows, AUC 1.
      { user: 'v', score: 0.2, label: 1 },
      { user: 'v', score: 0.1, label: 0 },
      // w: only positives.
      { user: 'w', score: 0.1, label: 1 },
      { user: 'w', score: 0.9, label: 1 },
    ]);
    expect(gauc.compute()).toBeCloseTo((3 * 0.5 + 2 * 1) / 5, 14);
  });

  test('is null without rows and when no user has both classes', () => {
    expect(new Gauc().compute()).toBeNull();
    expect(
      gaucState([
        { user: 1, score: 0.1, label: 1 },
        { user: 2, score: 0.1, label: 0 },
      ]).compute(),
    ).toBeNull();
  });

  test('equals the definition per user, with ties and soft labels', () => {
    fc.assert(
      fc.property(rows, (labelled) => {
        const expected = gaucByPairs(labelled);
        const found = gaucState(labelled).compute();
        if (expected === null) expect(found).toBeNull();
        else expect(found).toBeCloseTo(expected, 13);
      }),
    );
  });

  test('merging any split equals the whole, also through JSON', () => {
    fc.assert(
      fc.property(splitRows, ({ all, parts }) => {
        const merged = new Gauc();
        for (const part of parts) merged.merge(Gauc.fromJSON(JSON.parse(JSON.stringify(gaucState(part)))));
        const [found, whole] = [merged.compute(), gaucState(all).compute()];
        // Users may come in another order, so the sum over users may round differently.
        if (whole === null) expect(found).toBeNull();
        else expect(found).toBeCloseTo(whole, 13);
      }),
    );
  });

  test('a user is the same as int32 and int64, another one as a string, and huge ids stay apart', () => {
    const positive = { score: 0.9, label: 1 };
    const negative = { score: 0.1, label: 0 };
    const pair = (a: UserKey, b: UserKey) =>
      gaucState([
        { user: a, ...positive },
        { user: b, ...negative },
      ]).compute();
    expect(pair(7, 7n)).toBe(1);
    expect(pair(7, '7')).toBeNull();
    expect(pair(2n ** 60n, 2n ** 60n)).toBe(1);
    expect(pair(2n ** 60n, 2n ** 60n + 1n)).toBeNull();
    const saved = JSON.parse(JSON.stringify(gaucState([{ user: 2n ** 60n, ...positive }])));
    const merged = Gauc.fromJSON(saved);
    merged.merge(gaucState([{ user: 2n ** 60n, ...negative }]));
    expect(merged.compute()).toBe(1);
  });

  test('a damaged saved state is an error', () => {
    const saved = gaucState([{ user: 1, score: 0.5, label: 1 }]).toJSON();
    for (const damage of [{ users: [] }, { scores: '' }, { userOfRow: '' }, { labels: 'AAAA' }]) {
      expect(() => Gauc.fromJSON({ ...saved, ...damage })).toThrow(
        expect.objectContaining({ code: 'METRIC_STATE_INVALID' }),
      );
    }
  });
});
