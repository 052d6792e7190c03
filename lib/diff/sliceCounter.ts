import type { DataType } from 'apache-arrow';
import type { RowKeyBytes } from '../arrow/rowKeyBytes.ts';
import { keyTexts } from '../arrow/rowKeyText.ts';
import { StringIndex } from '../features/stringIndex.ts';
import { type PerScore, type ScoreShift, ShiftCounter } from './scoreShift.ts';

interface SliceShift {
  /** As text; null for rows without a value. */
  readonly value: string | null;
  readonly shift: PerScore<ScoreShift>;
}

/** The shift of the scores by the values of one row key. */
export interface SliceShifts {
  readonly key: string;
  /** Those with the most rows, the largest first. */
  readonly values: readonly SliceShift[];
  /** How many values aren't among them; null where there are too many to count them. */
  readonly otherValues: number | null;
}

/** Values that are counted apart, in the order in which they are found. */
const COUNTED_VALUES = 1_000;
/** Of these, those that are told of. */
const SHOWN_VALUES = 20;

/** Counts the scores of the rows by the values of one of their keys. */
export class SliceCounter {
  readonly #values = new StringIndex();
  readonly #counters: ShiftCounter[] = [];
  #isFull = false;

  /** The slice of a row: undefined where there are too many. */
  counterAt(slice: number): ShiftCounter | undefined {
    return this.#counters[slice];
  }

  /** @param value of the slice's key alone @returns the slice, -1 where there are too many */
  sliceOf(value: RowKeyBytes, row: number): number {
    const length = value.read(row);
    if (this.#isFull) return this.#values.find(value.bytes, 0, length);
    const slice = this.#values.findOrAdd(value.bytes, 0, length);
    if (slice === this.#counters.length) this.#counters.push(new ShiftCounter(false));
    this.#isFull = this.#counters.length === COUNTED_VALUES;
    return slice;
  }

  /** @param type of the key */
  shifts(key: string, type: DataType): SliceShifts {
    const all = this.#counters.map((counter, slice) => ({ counter, slice }));
    all.sort((a, b) => b.counter.rows - a.counter.rows);
    const values = all.slice(0, SHOWN_VALUES).map(({ counter, slice }) => ({
      value: keyTexts(this.#values.bytesAt(slice), [type])[0]!,
      shift: counter.shift,
    }));
    return { key, values, otherValues: this.#isFull ? null : all.length - values.length };
  }
}
