import { kendallTau, PairScratch, type RankAgreement } from './kendallTau.ts';

/** Stands for the score of a row that a state doesn't have: no score in [0, 1] has these bits. */
export const ABSENT = 0xffffffff;

/** How the rows of one group (a user's, a request's, or all) are ranked by one state and by the other. */
export interface GroupRanking extends RankAgreement {
  /** Rows in both states. */
  readonly common: number;
  /** Rows in the first K of both states, of `topRows`; rows in one state only count as well. */
  readonly topCommon: number;
  /** K, or as many rows as the larger state has. */
  readonly topRows: number;
  readonly isFirstSame: boolean;
  /** Common rows that have another place among the common ones. */
  readonly movedRows: number;
  /** Sum of the places by which they moved. */
  readonly movedPlaces: number;
  /** Places of the rows among the common ones, from 1; 0 for others. Valid until the next call. */
  readonly fromPlaces: Uint32Array;
  readonly toPlaces: Uint32Array;
}

const NO_PLACES = new Uint32Array(0);

/** Ranks groups, one after the other: higher scores first, equal ones in the order of the rows, which both states share. */
export class GroupRanker {
  readonly #scratch = new PairScratch();
  readonly #topCount: number;
  #fromPlaces = NO_PLACES;
  #toPlaces = NO_PLACES;
  #isInTop = new Uint8Array(0);
  #commonFrom = new Uint32Array(0);
  #commonTo = new Uint32Array(0);

  /** @param topCount K of the top-K overlap, from 1 */
  constructor(topCount: number) {
    this.#topCount = topCount;
  }

  /** @param from @param to bits of the same rows' float32 scores in [0, 1], or ABSENT */
  rank(from: Uint32Array, to: Uint32Array): GroupRanking {
    const count = from.length;
    this.#ensure(count);
    let common = 0;
    for (let row = 0; row < count; row++) {
      if (from[row] === ABSENT || to[row] === ABSENT) continue;
      this.#commonFrom[common] = from[row]!;
      this.#commonTo[common++] = to[row]!;
    }
    const agreement = kendallTau(
      this.#commonFrom.subarray(0, common),
      this.#commonTo.subarray(0, common),
      this.#scratch,
    );
    this.#isInTop.fill(0, 0, count);
    const inFrom = this.#place(from, to, this.#fromPlaces, (row) => {
      this.#isInTop[row] = 1;
    });
    let topCommon = 0;
    const inTo = this.#place(to, from, this.#toPlaces, (row) => {
      topCommon += this.#isInTop[row]!;
    });
    let movedRows = 0;
    let movedPlaces = 0;
    for (let row = 0; row < count; row++) {
      const places = Math.abs(this.#fromPlaces[row]! - this.#toPlaces[row]!);
      movedPlaces += places;
      if (places > 0) movedRows++;
    }
    return {
      ...agreement,
      common,
      topCommon,
      topRows: Math.min(this.#topCount, Math.max(inFrom.rows, inTo.rows)),
      isFirstSame: inFrom.first === inTo.first,
      movedRows,
      movedPlaces,
      fromPlaces: this.#fromPlaces.subarray(0, count),
      toPlaces: this.#toPlaces.subarray(0, count),
    };
  }

  /** Fills the places by `scores` of the rows that are in both; tells of the first K, whether or not they are. */
  #place(
    scores: Uint32Array,
    others: Uint32Array,
    places: Uint32Array,
    onTop: (row: number) => void,
  ): { readonly rows: number; readonly first: number | undefined } {
    const scratch = this.#scratch;
    let rows = 0;
    places.fill(0, 0, scores.length);
    scratch.ensure(scores.length);
    for (let row = 0; row < scores.length; row++) {
      if (scores[row] !== ABSENT) scratch.set(rows++, ABSENT - scores[row]!, row);
    }
    scratch.sort(rows);
    let place = 0;
    for (let at = 0; at < rows; at++) {
      const row = scratch.low(at);
      if (at < this.#topCount) onTop(row);
      if (others[row] !== ABSENT) places[row] = ++place;
    }
    return { rows, first: rows === 0 ? undefined : scratch.low(0) };
  }

  #ensure(count: number): void {
    if (this.#isInTop.length >= count) return;
    const size = Math.max(64, 2 * count);
    this.#isInTop = new Uint8Array(size);
    [this.#fromPlaces, this.#toPlaces] = [new Uint32Array(size), new Uint32Array(size)];
    [this.#commonFrom, this.#commonTo] = [new Uint32Array(size), new Uint32Array(size)];
  }
}
