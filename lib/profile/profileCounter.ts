import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureCounts } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { bucketOf } from '../features/featureNumbers.ts';
import type { ProfileBins } from './addProfiles.ts';
import { type PartProfile, scoreUnits } from './partProfile.ts';

/** Ids whose bin stands in a table: frequent ids are small, and a search in the ends costs more than the count. */
const TABLED_IDS = 65_536;
/**
 * Neighbouring rows mostly have the same bin, and a count that has just been stored is slow to load: each row of so many has
 * counts of its own. A third of the time that one count for all would take; `countSingle` is written out for them.
 */
const LANES = 4;
/** Leaves sign, exponent and three digits of a float32. */
const PREFIX_SHIFT = 20;

/** Bins of a feature's local ids, in a column of encoded rows. */
interface IdCounter {
  /** First column and end, of `singleRows` or of `listRows`. */
  readonly column: number;
  readonly columnEnd: number;
  /** Of its embedding table: local id = row - rowStart. */
  readonly rowStart: number;
  readonly ends: readonly number[];
  /** The bin of each of the first ids; that of id 0, which stands for missing and unseen values, is one behind the last. */
  readonly binOf: Uint8Array;
  /** Whether these are all ids of the table. */
  readonly isTabled: boolean;
  /** Of the bins and id 0, LANES times one behind the other. */
  readonly counts: Uint32Array;
}

interface NumberCounter {
  /** Of `dense`: the value's column. */
  readonly column: number;
  /** The last bin ends at infinity. */
  readonly ends: Float64Array;
  /**
   * By a float32's first bits, the bin of the lowest number that begins with them: a search by halves would spend its time on
   * branches that can't be foreseen.
   */
  readonly lowestBin: Uint8Array;
  readonly counts: Uint32Array;
}

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

/**
 * Counts the profile of encoded and scored rows by a model's reference. Without one it has the encoder's counters only. Holds
 * counters: one instance per thread.
 */
export class ProfileCounter {
  readonly #layout: FeatureLayout;
  readonly #singles: readonly (IdCounter | undefined)[];
  readonly #lists: readonly (IdCounter | undefined)[];
  readonly #numbers: readonly (NumberCounter | undefined)[];
  readonly #slices: readonly SliceCounter[];
  #rows = 0;

  /** @param bins of the layout's features; as `decodeModelReference` checks them */
  constructor(layout: FeatureLayout, bins: ProfileBins = { features: [], slices: [] }) {
    this.#layout = layout;
    const endsOf = new Map(bins.features.map(({ name, bins: { ends } }) => [name, ends]));
    const idCounter = (
      { name, table: { rowStart, rowCount } }: FeatureLayout['singles' | 'lists'][number],
      column: number,
      columnEnd: number,
    ): IdCounter | undefined => {
      const ends = endsOf.get(name);
      if (ends === undefined) return undefined;
      const binOf = Uint8Array.from({ length: Math.min(rowCount, TABLED_IDS) }, (_, id) =>
        bucketOf(ends, id),
      );
      binOf[0] = ends.length + 1;
      const counts = new Uint32Array(LANES * (ends.length + 2));
      return { column, columnEnd, rowStart, ends, binOf, isTabled: rowCount <= TABLED_IDS, counts };
    };
    this.#singles = layout.singles.map((field, index) => idCounter(field, index, index + 1));
    this.#lists = layout.lists.map((field) =>
      idCounter(field, field.position, field.position + field.feature.maxLength),
    );
    this.#numbers = layout.numerics.map(({ name }, index) => {
      const ends = endsOf.get(name);
      return ends && numberCounter(2 * index, ends);
    });
    this.#slices = bins.slices.map(({ name, ids }) => sliceCounter(layout, name, ids));
  }

  /** Forgets what was counted. */
  reset(): void {
    this.#rows = 0;
    for (const counter of [...this.#singles, ...this.#lists, ...this.#numbers]) counter?.counts.fill(0);
    for (const { rows, pctr, pcvr } of this.#slices) for (const sums of [rows, pctr, pcvr]) sums.fill(0);
  }

  /** Counts the first `rowCount` of the encoded rows: what stands behind them is padding. @param scores of these rows */
  add(
    { singleRows, listRows, dense }: EncodedRows,
    rowCount: number,
    scores: { readonly pctr: Float32Array; readonly pcvr: Float32Array },
  ): void {
    const { singles, listWidth, denseWidth } = this.#layout;
    this.#rows += rowCount;
    for (const counter of this.#singles) {
      if (counter !== undefined) countSingle(counter, singleRows, singles.length, rowCount);
    }
    for (const counter of this.#lists) {
      if (counter !== undefined) countList(counter, listRows, listWidth, rowCount);
    }
    for (const counter of this.#numbers) {
      if (counter !== undefined) countNumbers(counter, dense, denseWidth, rowCount);
    }
    for (const counter of this.#slices) countSlices(counter, singleRows, singles.length, rowCount, scores);
  }

  /** The profile of all rows since `reset`. @param counts the encoder's, of the same rows */
  profile(counts: readonly FeatureCounts[]): PartProfile {
    const bins = [
      ...[...this.#singles, ...this.#lists].map((counter) => counter && binCounts(counter)),
      ...this.#numbers.map((counter) => counter?.counts),
    ];
    return {
      rows: this.#rows,
      features: counts.map((feature, index) => ({ ...feature, bins: [...(bins[index] ?? [])] })),
      slices: this.#slices.map(({ name, rows, pctr, pcvr }) => ({
        name,
        slices: Array.from(rows, (count, at) => ({ rows: count, pctr: pctr[at]!, pcvr: pcvr[at]! })),
      })),
    };
  }
}

function numberCounter(column: number, ends: readonly number[]): NumberCounter {
  const number = new Float32Array(1);
  const bits = new Uint32Array(number.buffer);
  const lowestBin = Uint8Array.from({ length: 2 ** (32 - PREFIX_SHIFT) }, (_, prefix) => {
    const isNegative = prefix >= 2 ** (31 - PREFIX_SHIFT);
    bits[0] = prefix * 2 ** PREFIX_SHIFT + (isNegative ? 2 ** PREFIX_SHIFT - 1 : 0);
    // Numbers only: what begins like infinity may be none.
    return Number.isFinite(number[0]!) ? bucketOf(ends, number[0]!) : 0;
  });
  const counts = new Uint32Array(ends.length + 1);
  return { column, ends: Float64Array.of(...ends, Number.POSITIVE_INFINITY), lowestBin, counts };
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

/** Of all lanes, without id 0. */
function binCounts({ counts }: IdCounter): Uint32Array {
  const width = counts.length / LANES;
  return counts.subarray(0, width - 1).map((count, bin) => {
    for (let at = bin + width; at < counts.length; at += width) count += counts[at]!;
    return count;
  });
}

function countSingle(counter: IdCounter, singleRows: Int32Array, width: number, rowCount: number): void {
  const { column, rowStart, binOf, isTabled, counts } = counter;
  let at = column;
  if (isTabled) {
    const lane = counts.length / LANES;
    for (const end = column + (rowCount - (rowCount % LANES)) * width; at < end; at += LANES * width) {
      counts[binOf[singleRows[at]! - rowStart]!]!++;
      counts[lane + binOf[singleRows[at + width]! - rowStart]!]!++;
      counts[2 * lane + binOf[singleRows[at + 2 * width]! - rowStart]!]!++;
      counts[3 * lane + binOf[singleRows[at + 3 * width]! - rowStart]!]!++;
    }
  }
  for (const end = column + rowCount * width; at < end; at += width) {
    counts[binOfId(counter, singleRows[at]! - rowStart)]!++;
  }
}

function binOfId({ binOf, ends }: IdCounter, id: number): number {
  return id < binOf.length ? binOf[id]! : bucketOf(ends, id);
}

/** Values of one list are seldom in the same bin: they need no lanes. */
function countList(counter: IdCounter, listRows: Int32Array, width: number, rowCount: number): void {
  const { column, columnEnd, rowStart, binOf, isTabled, counts } = counter;
  for (let row = 0; row < rowCount; row++) {
    const end = row * width + columnEnd;
    for (let at = row * width + column; at < end; at++) {
      const tableRow = listRows[at]!;
      // Values in use come first, and none of them is at row 0.
      if (tableRow === 0) break;
      const id = tableRow - rowStart;
      counts[isTabled ? binOf[id]! : binOfId(counter, id)]!++;
    }
  }
}

function countNumbers(
  { column, ends, lowestBin, counts }: NumberCounter,
  dense: Float32Array,
  width: number,
  rowCount: number,
): void {
  const bits = new Uint32Array(dense.buffer, dense.byteOffset, dense.length);
  for (let row = 0, at = column; row < rowCount; row++, at += width) {
    if (dense[at + 1] === 1) continue;
    const value = dense[at]!;
    let bin = lowestBin[bits[at]! >>> PREFIX_SHIFT]!;
    while (value > ends[bin]!) bin++;
    counts[bin]!++;
  }
}

function countSlices(
  { column, rowStart, sliceOf, rows, pctr, pcvr }: SliceCounter,
  singleRows: Int32Array,
  width: number,
  rowCount: number,
  scores: { readonly pctr: Float32Array; readonly pcvr: Float32Array },
): void {
  const last = rows.length - 1;
  for (let row = 0, at = column; row < rowCount; row++, at += width) {
    const slice = sliceOf[singleRows[at]! - rowStart] ?? last;
    rows[slice]!++;
    pctr[slice]! += scoreUnits(scores.pctr[row]!);
    pcvr[slice]! += scoreUnits(scores.pcvr[row]!);
  }
}
