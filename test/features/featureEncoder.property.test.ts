import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import type { FittedContract } from '../../lib/features/fitContract.ts';
import { batchOf, doubles, indexed, int64Lists, int64s, stringLists, strings } from './arrowBatches.ts';
import { fittedContract } from './fittedVocabularies.ts';
import { referenceXxh64 } from './referenceXxh64.ts';

/*
 * A second encoder, row by row over plain objects, as docs/features.md describes it. It shares no code with lib/.
 * The contract under test has one feature of each kind; its settings are drawn.
 */
interface Row {
  readonly user: bigint | null;
  readonly town: string | null;
  readonly history: readonly (bigint | null)[] | null;
  readonly tags: readonly (string | null)[] | null;
  readonly price: number | null;
  readonly age: number | null;
}

interface Settings {
  readonly itemHash: boolean;
  readonly townHash: boolean;
  readonly buckets: number;
  readonly seed: number;
  readonly keep: 'first' | 'last';
  readonly historyLength: number;
  readonly tagsLength: number;
  readonly clipMin: number | undefined;
  readonly clipMax: number | undefined;
  readonly log1p: boolean;
  readonly standardise: boolean;
}

const ITEMS = [12n, 2n ** 53n + 1n, -4n, 0n];
const TOWNS = ['Oslo', '', '北京'];
const BOUNDARIES = [-1, 0, 2.5];
const MISSING_ITEM = -1n;
const MISSING_TOWN = '?';
const MISSING_PRICE = -9;
const MEAN = 1.25;
const DEVIATION = 0.75;

function contractOf(settings: Settings): FittedContract {
  const { itemHash, townHash, buckets, seed, keep } = settings;
  const idTable = (isHash: boolean, values: readonly string[]) =>
    isHash ? { hash: { buckets, seed } } : { vocabulary: { fitted: { values } } };
  const clip = {
    ...(settings.clipMin === undefined ? {} : { min: settings.clipMin }),
    ...(settings.clipMax === undefined ? {} : { max: settings.clipMax }),
  };
  return fittedContract({
    contractVersion: 1,
    rowKeys: ['id'],
    tables: {
      item: { type: 'int', missingValues: [String(MISSING_ITEM)], ...idTable(itemHash, ITEMS.map(String)) },
      town: { type: 'string', missingValues: [MISSING_TOWN], ...idTable(townHash, TOWNS) },
    },
    features: [
      { kind: 'categorical', column: 'user', table: 'item' },
      {
        kind: 'bucketed',
        column: 'age',
        buckets: 4,
        missingValues: [-9],
        fitted: { boundaries: BOUNDARIES },
      },
      { kind: 'categorical', column: 'town', table: 'town' },
      { kind: 'list', column: 'tags', table: 'town', maxLength: settings.tagsLength, keep },
      { kind: 'list', column: 'history', table: 'item', maxLength: settings.historyLength, keep },
      {
        kind: 'numeric',
        column: 'price',
        missingValues: [MISSING_PRICE],
        log1p: settings.log1p,
        standardise: settings.standardise,
        clip,
        fitted: { mean: MEAN, standardDeviation: DEVIATION, rows: 5 },
      },
    ],
  });
}

function referenceRow(row: Row, settings: Settings) {
  const itemRows = 1 + (settings.itemHash ? settings.buckets : ITEMS.length);
  // Tables take their rows in the order in which features first use them.
  const ageStart = itemRows;
  const townStart = itemRows + BOUNDARIES.length + 2;
  const bucket = (bytes: Uint8Array) =>
    1 + Number(referenceXxh64(bytes, BigInt(settings.seed)) % BigInt(settings.buckets));
  const itemId = (value: bigint | null): number | null => {
    if (value === null || value === MISSING_ITEM) return null;
    if (!settings.itemHash) return ITEMS.indexOf(value) + 1;
    return bucket(new Uint8Array(BigInt64Array.of(value).buffer));
  };
  const townId = (value: string | null): number | null => {
    if (value === null || value === MISSING_TOWN) return null;
    return settings.townHash ? bucket(new TextEncoder().encode(value)) : TOWNS.indexOf(value) + 1;
  };
  const list = (ids: readonly (number | null)[], maxLength: number, rowStart: number) => {
    const present = ids.filter((id) => id !== null);
    const ordered = settings.keep === 'last' ? present.reverse() : present;
    const known = ordered.slice(0, maxLength).filter((id) => id > 0);
    const padding = new Array<number>(maxLength - known.length).fill(0);
    return {
      rows: [...known.map((id) => rowStart + id), ...padding],
      weights: [...known.map(() => Math.fround(1 / known.length)), ...padding],
    };
  };
  const tags = list((row.tags ?? []).map(townId), settings.tagsLength, townStart);
  const history = list((row.history ?? []).map(itemId), settings.historyLength, 0);
  const ageIsMissing = row.age === null || Number.isNaN(row.age) || Math.fround(row.age) === -9;
  // A float64 column is read as float32; the boundaries have so few digits that they stay what they are.
  const age = Math.fround(row.age!);
  const ageId = ageIsMissing ? 0 : 1 + BOUNDARIES.filter((boundary) => boundary < age).length;
  return {
    singles: [itemId(row.user) ?? 0, townStart + (townId(row.town) ?? 0), ageStart + ageId],
    lists: [...tags.rows, ...history.rows],
    weights: [...tags.weights, ...history.weights],
    dense: referencePrice(row.price, settings),
  };
}

function referencePrice(float64: number | null, settings: Settings): number[] {
  const missing = [0, 1];
  const price = float64 === null ? null : Math.fround(float64);
  if (price === null || Number.isNaN(price) || price === MISSING_PRICE) return missing;
  let value = Math.min(settings.clipMax ?? Infinity, Math.max(settings.clipMin ?? -Infinity, price));
  if (!Number.isFinite(value)) return missing;
  if (settings.log1p) value = value < 0 ? -Math.log1p(-value) : Math.log1p(value);
  if (settings.standardise) value = (value - MEAN) / DEVIATION;
  return [Math.fround(value), 0];
}

const settingsArbitrary: fc.Arbitrary<Settings> = fc.record({
  itemHash: fc.boolean(),
  townHash: fc.boolean(),
  buckets: fc.integer({ min: 1, max: 1000 }),
  seed: fc.maxSafeNat(),
  keep: fc.constantFrom('first', 'last'),
  historyLength: fc.integer({ min: 1, max: 4 }),
  tagsLength: fc.integer({ min: 1, max: 3 }),
  clipMin: fc.option(fc.constantFrom(-3, 0), { nil: undefined }),
  clipMax: fc.option(fc.constantFrom(1, 50), { nil: undefined }),
  log1p: fc.boolean(),
  standardise: fc.boolean(),
});

const item = fc.option(fc.constantFrom(...ITEMS, MISSING_ITEM, 13n, 2n ** 53n, 12n + 2n ** 32n), { freq: 4 });
const town = fc.option(
  fc.constantFrom(...TOWNS, MISSING_TOWN, 'oslo', 'a name of more than 32 bytes in UTF-8'),
  {
    freq: 4,
  },
);
const number = fc.option(
  fc.oneof(fc.constantFrom(-9, -1, -0, 0, 2.5, NaN, Infinity, -Infinity), fc.double({ min: -100, max: 100 })),
  { freq: 4 },
);
const rowArbitrary: fc.Arbitrary<Row> = fc.record({
  user: item,
  town,
  history: fc.option(fc.array(item, { maxLength: 7 }), { freq: 4 }),
  tags: fc.option(fc.array(town, { maxLength: 7 }), { freq: 4 }),
  price: number,
  age: number,
});

/** @param indexBits of indices of a dictionary in place of values */
function batchOfRows(rows: readonly Row[], indexBits?: 8 | 16 | 32) {
  const columns = {
    history: int64Lists(rows.map((row) => row.history)),
    price: doubles(rows.map((row) => row.price)),
    user: int64s(
      rows.map((row) => row.user),
      ITEMS[0]!,
    ),
    town: strings(rows.map((row) => row.town)),
    age: doubles(rows.map((row) => row.age)),
    tags: stringLists(rows.map((row) => row.tags)),
  };
  if (indexBits === undefined) return batchOf(columns);
  const indices = Object.entries(columns).map(([name, data]) => [name, indexed(data, indexBits)] as const);
  return batchOf(Object.fromEntries(indices));
}

const widths = [undefined, undefined, 8, 16, 32] as const;

// -0 and 0 are the same input to a network.
const plain = (numbers: Iterable<number>) => Array.from(numbers, (value) => value + 0);

describe('FeatureEncoder', () => {
  it('encodes every row as a row-by-row encoder does, whatever batch, slice and reused memory it comes in, as values or as indices of any width of a dictionary that it or another one encoded', () => {
    fc.assert(
      fc.property(
        settingsArbitrary,
        // Without the size, fast-check stops at about ten rows, and no bitmap passes its second byte.
        fc.array(fc.array(rowArbitrary, { minLength: 1, maxLength: 40, size: 'max' }), {
          minLength: 1,
          maxLength: 3,
        }),
        // Not doubles, nearly all of which are next to nothing.
        fc.infiniteStream(fc.nat()),
        (settings, batches, numbers) => {
          const below = (bound: number) => numbers.next().value % bound;
          const { contract, vocabularies } = contractOf(settings);
          const encoder = new FeatureEncoder(contract, vocabularies);
          const { layout } = encoder;
          const other = new FeatureEncoder(contract, vocabularies);
          const into = allocateEncodedRows(layout, 45);
          for (const array of [into.singleRows, into.listRows, into.listWeights, into.dense]) array.fill(99);
          for (const rows of batches) {
            const sliceStart = below(rows.length);
            const sliceEnd = sliceStart + 1 + below(rows.length - sliceStart);
            const batch = batchOfRows(rows, widths[below(widths.length)]).slice(sliceStart, sliceEnd);
            const start = below(batch.numRows);
            const end = start + 1 + below(batch.numRows - start);
            if (below(2) === 1) {
              const columns = batch.schema.names.map(
                (name, place) => [name, batch.data.children[place]!] as const,
              );
              const some = batchOf(Object.fromEntries(columns.filter(() => below(4) > 0)));
              encoder.takeDictionaries(
                batch,
                other.encodeDictionaries(some, (array) => array.slice() as typeof array),
              );
            }
            const at = below(into.rowCapacity - (end - start) + 1);
            encoder.encode(batch, start, end, into, at);
            for (let row = start; row < end; row++) {
              const slot = at + row - start;
              const part = (array: Int32Array | Float32Array, width: number) =>
                plain(array.subarray(slot * width, (slot + 1) * width));
              const expected = referenceRow(rows[sliceStart + row]!, settings);
              expect(part(into.singleRows, layout.singles.length)).toEqual(expected.singles);
              expect(part(into.listRows, layout.listWidth)).toEqual(expected.lists);
              expect(part(into.listWeights, layout.listWidth)).toEqual(expected.weights);
              expect(part(into.dense, layout.denseWidth)).toEqual(plain(expected.dense));
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
