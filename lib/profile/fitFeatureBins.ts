import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { type FeatureBins, MAX_FEATURE_BINS } from './featureBins.ts';

/** A value, or the largest of several neighbours, and how many rows have them; in ascending order. */
type CountedValue = readonly [end: number, count: number];

/** A number that was the only one is told from others by this share of itself, or of 1 where it is smaller. */
const CONSTANT_TOLERANCE = 2 ** -10;

/**
 * Bins of every feature, in the order of FeatureEncoder.counts, that hold about equal shares of the first `rowCount` rows. They
 * follow from how often each value is there, so that the order of the rows doesn't matter. A feature without any value has one
 * bin; one with a single value has bins of their own for what is below and above it.
 */
export function fitFeatureBins(layout: FeatureLayout, rows: EncodedRows, rowCount: number): FeatureBins[] {
  const { singles, lists, numerics, listWidth, denseWidth } = layout;
  return [
    ...singles.map(({ table }, index) => {
      const counts = new Uint32Array(table.rowCount);
      const end = rowCount * singles.length;
      for (let at = index; at < end; at += singles.length) {
        counts[rows.singleRows[at]! - table.rowStart]!++;
      }
      return idBins(counts);
    }),
    ...lists.map(({ table, position, feature }) => {
      const counts = new Uint32Array(table.rowCount);
      for (let row = 0; row < rowCount; row++) {
        const first = row * listWidth + position;
        for (let at = first; at < first + feature.maxLength && rows.listWeights[at] !== 0; at++) {
          counts[rows.listRows[at]! - table.rowStart]!++;
        }
      }
      return idBins(counts);
    }),
    ...numerics.map((_, index) =>
      numberBins(rows.dense.subarray(0, rowCount * denseWidth), denseWidth, index),
    ),
  ];
}

/** @param counts by local id; 0, which is no value, counts for nothing */
function idBins(counts: Uint32Array): FeatureBins {
  const largest = counts.length - 1;
  function* values(): Generator<CountedValue> {
    for (let id = 1; id <= largest; id++) if (counts[id] !== 0) yield [id, counts[id]!];
  }
  const total = counts.reduce((sum, count, id) => (id === 0 ? 0 : sum + count), 0);
  const { ends, only } = equalShares(values(), total);
  if (only === undefined) return { kind: 'ids', ends };
  return { kind: 'ids', ends: [only - 1, only].filter((id) => id >= 1 && id < largest) };
}

/** Of the present values of numeric feature `index`. @param dense float32 [rows, width] */
function numberBins(dense: Float32Array, width: number, index: number): FeatureBins {
  let total = 0;
  for (let at = 2 * index; at < dense.length; at += width) if (dense[at + 1] === 0) total++;
  const { ends, only } = equalShares(countNumbers(dense, width, index, total), total);
  if (only === undefined) return { kind: 'numbers', ends };
  const tolerance = CONSTANT_TOLERANCE * Math.max(1, Math.abs(only));
  const around = [only - tolerance, only + tolerance].map(Math.fround);
  return { kind: 'numbers', ends: around.filter(Number.isFinite) };
}

/**
 * Ends of at most MAX_FEATURE_BINS bins: each is closed where its share of what was left is nearest to an equal one, so that a
 * frequent value has a bin of its own and the others still have all further bins.
 * @param total of all counts
 * @returns `only` is the value, where there is a single one
 */
function equalShares(
  values: Iterable<CountedValue>,
  total: number,
): { readonly ends: number[]; readonly only: number | undefined } {
  const ends: number[] = [];
  let left = total;
  let inBin = 0;
  let distinct = 0;
  let last = 0;
  const target = () => left / (MAX_FEATURE_BINS - ends.length);
  const close = () => {
    ends.push(last);
    left -= inBin;
    inBin = 0;
  };
  const isLastBin = () => ends.length === MAX_FEATURE_BINS - 1;
  for (const [value, count] of values) {
    const wanted = target() - inBin;
    if (inBin > 0 && !isLastBin() && count - wanted > wanted) close();
    inBin += count;
    last = value;
    distinct++;
    if (inBin >= target() && !isLastBin()) close();
  }
  // Nothing would be above it.
  if (ends.at(-1) === last) ends.pop();
  return { ends, only: distinct === 1 ? last : undefined };
}

/** Numbers are first counted by the upper half of their keys; halves with more than this share of all of them one by one. */
const CROWDED_SHARE = 1 / (2 * MAX_FEATURE_BINS);
const HALF_KEYS = 2 ** 16;

/** Counts present values without sorting them, which would take a copy and, on large data, as long as an epoch. */
function* countNumbers(
  dense: Float32Array,
  width: number,
  index: number,
  total: number,
): Generator<CountedValue> {
  const bits = new Uint32Array(dense.buffer, dense.byteOffset, dense.length);
  const byUpper = new Uint32Array(HALF_KEYS);
  for (let at = 2 * index; at < dense.length; at += width) {
    if (dense[at + 1] === 0) byUpper[keyOf(bits[at]!) >>> 16]!++;
  }
  const crowded = new Map<number, Uint32Array>();
  for (let upper = 0; upper < HALF_KEYS; upper++) {
    if (byUpper[upper]! > CROWDED_SHARE * total) crowded.set(upper, new Uint32Array(HALF_KEYS));
  }
  for (let at = 2 * index; at < dense.length; at += width) {
    if (dense[at + 1] !== 0) continue;
    const key = keyOf(bits[at]!);
    const byLower = crowded.get(key >>> 16);
    if (byLower !== undefined) byLower[key & (HALF_KEYS - 1)]!++;
  }
  for (let upper = 0; upper < HALF_KEYS; upper++) {
    const count = byUpper[upper]!;
    if (count === 0) continue;
    const byLower = crowded.get(upper);
    if (byLower === undefined) {
      yield [numberOf(upper * HALF_KEYS + HALF_KEYS - 1), count];
      continue;
    }
    for (let lower = 0; lower < HALF_KEYS; lower++) {
      if (byLower[lower] !== 0) yield [numberOf(upper * HALF_KEYS + lower), byLower[lower]!];
    }
  }
}

const SIGN = 0x80000000;

/** A whole number in [0, 2^32) for the bits of a float32, ordered as the numbers are; -0 is 0. */
function keyOf(bits: number): number {
  if (bits < SIGN) return bits + SIGN;
  return bits === SIGN ? SIGN : (~bits >>> 0) + 1;
}

const converted = new DataView(new ArrayBuffer(4));

function numberOf(key: number): number {
  converted.setUint32(0, key >= SIGN ? key - SIGN : ~(key - 1) >>> 0);
  return converted.getFloat32(0);
}
