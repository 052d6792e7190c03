import { type BinCounter, type BinCounters, IdBins, NumberBins } from '../features/binCounter.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureCounts } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ProfileBins } from './addProfiles.ts';
import { type PartProfile, scoreUnits } from './partProfile.ts';

interface SliceCounter {
  readonly name: string;
  readonly column: number;
  readonly rowStart: number;
  /** The slice of each id up to the largest that is one; all others are in the last. */
  readonly sliceOf: Uint8Array;
  readonly rows: Float64Array;
  readonly pctr: Float64Array;
  readonly pcvr: Float64Array;
}

/** Scores of encoded rows. */
interface Scores {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
}

/**
 * Counts the profile of encoded and scored rows by a model's reference. Without one it has the encoder's counters only. Holds
 * counters: one instance per thread.
 */
export class ProfileCounter {
  /** For an encoder, which counts values while it encodes them: far cheaper than to look at encoded rows again. */
  readonly bins: BinCounters;
  readonly #layout: FeatureLayout;
  readonly #slices: readonly SliceCounter[];
  #rows = 0;

  /** @param bins of the layout's features; as `decodeModelReference` checks them */
  constructor(layout: FeatureLayout, bins: ProfileBins = { features: [], slices: [] }) {
    this.#layout = layout;
    const endsOf = new Map(bins.features.map(({ name, bins: { ends } }) => [name, ends]));
    const ids = [...layout.singles, ...layout.lists].flatMap(({ name, table }) => {
      const ends = endsOf.get(name);
      return ends === undefined ? [] : [[name, new IdBins(ends, table.rowCount)] as const];
    });
    const numbers = layout.numerics.flatMap(({ name }) => {
      const ends = endsOf.get(name);
      return ends === undefined ? [] : [[name, new NumberBins(ends)] as const];
    });
    this.bins = { ids: new Map(ids), numbers: new Map(numbers) };
    this.#slices = bins.slices.map(({ name, ids }) => sliceCounter(layout, name, ids));
  }

  /** Forgets what was counted. */
  reset(): void {
    this.#rows = 0;
    for (const counters of [this.bins.ids, this.bins.numbers]) {
      for (const counter of counters.values()) counter.reset();
    }
    for (const { rows, pctr, pcvr } of this.#slices) for (const sums of [rows, pctr, pcvr]) sums.fill(0);
  }

  /**
   * Counts the first `rowCount` of rows whose values were counted in `bins` when they were encoded: what stands behind them is
   * padding.
   */
  addScores({ singleRows }: EncodedRows, rowCount: number, scores: Scores): void {
    this.#rows += rowCount;
    const { length: width } = this.#layout.singles;
    for (const counter of this.#slices) countSlices(counter, singleRows, width, rowCount, scores);
  }

  /** As `addScores`, of rows whose values haven't been counted yet. */
  add(rows: EncodedRows, rowCount: number, scores: Scores): void {
    this.addScores(rows, rowCount, scores);
    const { singles, lists, numerics, listWidth, denseWidth } = this.#layout;
    const { singleRows, listRows, dense } = rows;
    for (const [index, { name, table }] of singles.entries()) {
      const ids = new Int32Array(rowCount);
      for (let row = 0; row < rowCount; row++) {
        ids[row] = singleRows[row * singles.length + index]! - table.rowStart;
      }
      countValues(this.bins.ids.get(name), ids);
    }
    for (const { name, table, position, feature } of lists) {
      const ids = new Int32Array(rowCount * feature.maxLength);
      let used = 0;
      for (let row = 0; row < rowCount; row++) {
        const first = row * listWidth + position;
        // Values in use come first, and none of them is at row 0 of all tables.
        for (let at = first; at < first + feature.maxLength && listRows[at] !== 0; at++) {
          ids[used++] = listRows[at]! - table.rowStart;
        }
      }
      countValues(this.bins.ids.get(name), ids.subarray(0, used));
    }
    for (const [index, { name }] of numerics.entries()) {
      const inputs = new Float32Array(rowCount);
      for (let row = 0, at = 2 * index; row < rowCount; row++, at += denseWidth) {
        inputs[row] = dense[at + 1] === 1 ? Number.NaN : dense[at]!;
      }
      countValues(this.bins.numbers.get(name), inputs);
    }
  }

  /** The profile of all rows since `reset`. @param counts the encoder's, of the same rows */
  profile(counts: readonly FeatureCounts[]): PartProfile {
    const { ids, numbers } = this.bins;
    return {
      rows: this.#rows,
      features: counts.map(({ name, values, missing, unseen }) => ({
        ...{ name, values, missing, unseen },
        bins: (ids.get(name) ?? numbers.get(name))?.known() ?? [],
      })),
      slices: this.#slices.map(({ name, rows, pctr, pcvr }) => ({
        name,
        slices: Array.from(rows, (count, at) => ({ rows: count, pctr: pctr[at]!, pcvr: pcvr[at]! })),
      })),
    };
  }
}

function countValues<Values extends Int32Array | Float32Array>(
  counter: (BinCounter & { find(values: Values, count: number, bins: Uint8Array): boolean }) | undefined,
  values: Values,
): void {
  if (counter === undefined) return;
  const bins = new Uint8Array(values.length);
  counter.find(values, values.length, bins);
  for (const bin of bins) counter.counts[bin]!++;
}

function sliceCounter({ singles }: FeatureLayout, name: string, ids: readonly number[]): SliceCounter {
  const column = singles.findIndex((single) => single.name === name);
  const sliceOf = new Uint8Array(1 + Math.max(0, ...ids)).fill(ids.length);
  for (const [slice, id] of ids.entries()) sliceOf[id] = slice;
  const [rows, pctr, pcvr] = [0, 1, 2].map(() => new Float64Array(ids.length + 1));
  return {
    name,
    column,
    rowStart: singles[column]!.table.rowStart,
    sliceOf,
    rows: rows!,
    pctr: pctr!,
    pcvr: pcvr!,
  };
}

function countSlices(
  { column, rowStart, sliceOf, rows, pctr, pcvr }: SliceCounter,
  singleRows: Int32Array,
  width: number,
  rowCount: number,
  scores: Scores,
): void {
  const last = rows.length - 1;
  for (let row = 0, at = column; row < rowCount; row++, at += width) {
    const slice = sliceOf[singleRows[at]! - rowStart] ?? last;
    rows[slice]!++;
    pctr[slice]! += scoreUnits(scores.pctr[row]!);
    pcvr[slice]! += scoreUnits(scores.pcvr[row]!);
  }
}
