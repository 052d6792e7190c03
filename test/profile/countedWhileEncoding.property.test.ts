import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { ProfileCounter } from '../../lib/profile/profileCounter.ts';
import { gatherRows } from '../../lib/scoring/gatherRows.ts';
import { batchOf, doubles, indexed, int64Lists, int64s } from '../features/arrowBatches.ts';
import { fittedContract } from '../features/fittedVocabularies.ts';

/*
 * What stands in a profile for rows of a small contract, worked out value by value from the rows themselves. Ids are places in
 * VALUES, numbers are taken as they are, so that nothing of lib/ is needed to know an id or a number.
 */
const VALUES = [5n, -7n, 2n ** 40n, 0n, 11n, 12n, 13n, 14n, 15n];
const MISSING = -1n;
const UNSEEN = 99n;
const BOUNDARIES = [-1, 0, 2];
const MAX_LENGTH = 3;

interface Row {
  readonly user: bigint | null;
  readonly history: readonly (bigint | null)[] | null;
  readonly price: number | null;
  readonly age: number | null;
}

const id = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...VALUES) },
  fc.constantFrom(MISSING, UNSEEN, null),
);
const number = fc.option(fc.constantFrom(-100, -1, -0.5, 0, 0.25, 2, 2.5, 1e30, NaN), { freq: 6 });
const row: fc.Arbitrary<Row> = fc.record({
  user: id,
  history: fc.option(fc.array(id, { maxLength: 6 }), { freq: 6 }),
  price: number,
  age: number,
});
const endsOf = (most: number) =>
  fc
    .uniqueArray(fc.integer({ min: 1, max: most }), { maxLength: 4 })
    .map((ends) => ends.sort((a, b) => a - b));
const numberEnds = fc.subarray([-100, -1, -0.25, 0, 0.25, 2.25]);

/** Whether a column is one of indices of a dictionary. */
const forms = fc.record({
  user: fc.boolean(),
  history: fc.boolean(),
  price: fc.boolean(),
  age: fc.boolean(),
});

function binned(values: readonly number[], ends: readonly number[]): number[] {
  const counts = new Array<number>(ends.length + 1).fill(0);
  for (const value of values) counts[ends.filter((end) => value > end).length]!++;
  return counts;
}

const isKnown = (value: bigint | null) => value !== null && VALUES.includes(value);
const isMissing = (value: bigint | null) => value === null || value === MISSING;
const idOf = (value: bigint | null) => VALUES.indexOf(value!) + 1;

function expectedOf(rows: readonly Row[], keep: 'first' | 'last', ends: Readonly<Record<string, number[]>>) {
  const users = rows.map(({ user }) => user);
  const lists = rows.map(({ history }) => {
    const present = (history ?? []).filter((value) => !isMissing(value));
    return keep === 'first' ? present.slice(0, MAX_LENGTH) : present.slice(-MAX_LENGTH);
  });
  const listed = lists.flat();
  const numbersOf = (key: 'price' | 'age') =>
    rows.map((each) => each[key]).filter((value): value is number => value !== null && !Number.isNaN(value));
  const buckets = numbersOf('age').map((age) => 1 + BOUNDARIES.filter((boundary) => boundary < age).length);
  const prices = numbersOf('price');
  return [
    {
      ...{ name: 'user', values: users.length, missing: users.filter(isMissing).length },
      unseen: users.filter((value) => !isMissing(value) && !isKnown(value)).length,
      bins: binned(users.filter(isKnown).map(idOf), ends.user!),
    },
    {
      ...{ name: 'age', values: rows.length, missing: rows.length - buckets.length, unseen: 0 },
      bins: binned(buckets, ends.age!),
    },
    {
      ...{
        name: 'history',
        values: listed.length,
        missing: lists.filter((list) => list.length === 0).length,
      },
      unseen: listed.filter((value) => !isKnown(value)).length,
      bins: binned(listed.filter(isKnown).map(idOf), ends.history!),
    },
    {
      ...{ name: 'price', values: rows.length, missing: rows.length - prices.length, unseen: 0 },
      bins: binned(prices.map(Math.fround), ends.price!),
    },
  ];
}

function contractOf(keep: 'first' | 'last') {
  return fittedContract({
    contractVersion: 1,
    rowKeys: ['id'],
    tables: {
      item: {
        ...{ type: 'int', missingValues: [String(MISSING)] },
        vocabulary: { fitted: { values: VALUES.map(String) } },
      },
    },
    features: [
      { kind: 'categorical', column: 'user', table: 'item' },
      { kind: 'list', column: 'history', table: 'item', maxLength: MAX_LENGTH, keep },
      { kind: 'bucketed', column: 'age', buckets: 4, fitted: { boundaries: BOUNDARIES } },
      { kind: 'numeric', column: 'price', standardise: false },
    ],
  });
}

it('counts each encoded row once, in the bins of its values: of plain columns and dictionaries, in any batches and cuts, without rows left out', () => {
  fc.assert(
    fc.property(
      fc.record({
        keep: fc.constantFrom('first' as const, 'last' as const),
        ends: fc.record({ user: endsOf(8), history: endsOf(8), age: endsOf(4), price: numberEnds }),
        batches: fc.array(
          fc.record({
            rows: fc.array(row, { minLength: 1, maxLength: 30, size: 'max' }),
            forms,
            leftOut: fc.array(fc.nat(29), { maxLength: 3 }),
            cuts: fc.array(fc.nat(30), { maxLength: 3 }),
            /** Rows before the first of the batch, which have values in its dictionaries. */
            skipped: fc.nat(5),
          }),
          { minLength: 1, maxLength: 3 },
        ),
      }),
      ({ keep, ends, batches }) => {
        const { contract, vocabularies } = contractOf(keep);
        const layout = featureLayout(contract);
        const kindOf = (name: string) => (name === 'price' ? ('numbers' as const) : ('ids' as const));
        const features = Object.entries(ends).map(([name, of]) => ({
          name,
          bins: { kind: kindOf(name), ends: of },
        }));
        const counter = new ProfileCounter(layout, { features, slices: [] });
        const encoder = new FeatureEncoder(contract, vocabularies, counter.bins);
        const later = new ProfileCounter(layout, { features, slices: [] });
        const into = allocateEncodedRows(layout, 40);
        const scores = { pctr: new Float32Array(40), pcvr: new Float32Array(40) };
        const counted: Row[] = [];
        for (const { rows, forms: isIndexed, leftOut, cuts, skipped } of batches) {
          const columns = {
            user: int64s(
              rows.map(({ user }) => user),
              VALUES[0]!,
            ),
            history: int64Lists(rows.map(({ history }) => history)),
            price: doubles(rows.map(({ price }) => price)),
            age: doubles(rows.map(({ age }) => age)),
          };
          const whole = batchOf(
            Object.fromEntries(
              Object.entries(columns).map(([name, data]) => [
                name,
                isIndexed[name as keyof Row] ? indexed(data) : data,
              ]),
            ),
          );
          const kept = rows.map((_, at) => at).filter((at) => !leftOut.includes(at));
          const good = leftOut.length === 0 ? whole : gatherRows(whole, Int32Array.from(kept));
          const goodRows = kept.map((at) => rows[at]!);
          const first = Math.min(skipped, goodRows.length);
          const batch = good.slice(first);
          const count = batch.numRows;
          counted.push(...goodRows.slice(first));
          const bounds = [...new Set([0, ...cuts.map((cut) => Math.min(cut, count)), count])].sort(
            (a, b) => a - b,
          );
          for (const [index, start] of bounds.slice(0, -1).entries()) {
            encoder.encode(batch, start, bounds[index + 1]!, into, start);
          }
          counter.addScores(into, count, scores);
          later.add(into, count, scores);
        }
        const profile = counter.profile(encoder.counts);
        expect(profile.features).toEqual(expectedOf(counted, keep, ends));
        expect(profile.rows).toBe(counted.length);
        // The other way to count, of rows that have been encoded, agrees.
        expect(later.profile(encoder.counts)).toEqual(profile);
      },
    ),
    { numRuns: 300 },
  );
});
