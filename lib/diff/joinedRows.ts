import { SCORE_NAMES } from '../base/tasks.ts';
import { StringIndex } from '../features/stringIndex.ts';
import { ABSENT } from './rankGroup.ts';

export const SIDES = ['from', 'to'] as const;
type Side = (typeof SIDES)[number];

/** Rows of two states, joined by their keys in memory: 28 bytes each beside their keys, and 24 for the index of these. */
export class JoinedRows {
  readonly keys = new StringIndex();
  /** Of each row, in the order in which the keys were first seen. */
  groups = new Int32Array(0);
  slices = new Int32Array(0);
  /** Per score the bits of each row; ABSENT where a state doesn't have it. */
  readonly from: Uint32Array[] = SCORE_NAMES.map(() => new Uint32Array(0));
  readonly to: Uint32Array[] = SCORE_NAMES.map(() => new Uint32Array(0));
  /** Rows whose key had been there before in the same state; the first one of a key counts. */
  readonly repeated = { from: 0, to: 0 };

  get count(): number {
    return this.keys.size;
  }

  add(
    side: Side,
    key: Uint8Array,
    keyBytes: number,
    { group, slice }: { readonly group: number; readonly slice: number },
    scores: readonly Uint32Array[],
    scoreRow: number,
  ): void {
    const row = this.keys.findOrAdd(key, 0, keyBytes);
    if (row >= this.groups.length) this.#grow();
    this.groups[row] = group;
    this.slices[row] = slice;
    const columns = side === 'from' ? this.from : this.to;
    if (columns[0]![row] !== ABSENT) {
      this.repeated[side]++;
      return;
    }
    for (let score = 0; score < columns.length; score++) {
      // Without the sign that a zero may have: bits are compared as numbers.
      columns[score]![row] = scores[score]![scoreRow]! & 0x7fffffff;
    }
  }

  /** The rows' places, group by group. @returns `rows[ends[g - 1]]` to `rows[ends[g] - 1]` are group g */
  byGroup(groupCount: number): { readonly rows: Uint32Array; readonly ends: Uint32Array } {
    const ends = new Uint32Array(groupCount);
    for (let row = 0; row < this.count; row++) ends[this.groups[row]!]!++;
    for (let group = 1; group < groupCount; group++) ends[group]! += ends[group - 1]!;
    const rows = new Uint32Array(this.count);
    // From behind: each count is where its group ends, and becomes where it begins.
    const next = ends.slice();
    for (let row = this.count - 1; row >= 0; row--) rows[--next[this.groups[row]!]!] = row;
    return { rows, ends };
  }

  #grow(): void {
    const size = Math.max(1024, 2 * this.groups.length);
    const larger = <T extends Int32Array | Uint32Array>(old: T, made: T): T => {
      made.set(old);
      return made;
    };
    this.groups = larger(this.groups, new Int32Array(size));
    this.slices = larger(this.slices, new Int32Array(size));
    for (const columns of [this.from, this.to]) {
      for (const [score, old] of columns.entries()) {
        columns[score] = larger(old, new Uint32Array(size).fill(ABSENT));
      }
    }
  }
}
