import { concatenated } from '../base/concatenated.ts';
import type { JoinedRows } from './joinedRows.ts';
import { type Mover, Movers } from './movers.ts';
import { ABSENT, GroupRanker, type GroupRanking } from './rankGroup.ts';
import { RankingCounter, type RankingSummary } from './rankingSummary.ts';
import { scoreOfBits } from './scoreShift.ts';

export interface RankingOptions {
  /** False: all rows of all passes are one group. */
  readonly isGrouped: boolean;
  /** Which score is ranked by, as its place among the scores. */
  readonly ranked: number;
  /** K of the top-K overlap. */
  readonly top: number;
  /** Rows that are named, at most. */
  readonly moverCount: number;
  /** A key's values as text. */
  readonly keysOf: (key: Uint8Array) => Mover['keys'];
}

/** Ranks the rows of two states, pass by pass. */
export class RowRanking {
  readonly #options: RankingOptions;
  readonly #ranker: GroupRanker;
  readonly #counter: RankingCounter;
  readonly #movers: Movers;
  /** Without groups, of each pass so far: a whole is ranked when all of it is there. */
  readonly #passes: { readonly from: Uint32Array; readonly to: Uint32Array }[] = [];

  constructor(options: RankingOptions) {
    this.#options = options;
    this.#ranker = new GroupRanker(options.top);
    this.#counter = new RankingCounter(options.top);
    this.#movers = new Movers(options.moverCount);
  }

  /** @param groupCount groups of the pass; none of them has rows in another pass */
  add(joined: JoinedRows, groupCount: number): void {
    const { isGrouped, ranked } = this.#options;
    const [from, to] = [joined.from[ranked]!, joined.to[ranked]!];
    if (!isGrouped) {
      this.#passes.push({ from: from.slice(0, joined.count), to: to.slice(0, joined.count) });
      for (let row = 0; row < joined.count; row++) this.#consider(joined, row);
      return;
    }
    const { rows, ends } = joined.byGroup(groupCount);
    for (let group = 0; group < groupCount; group++) {
      const members = rows.subarray(group === 0 ? 0 : ends[group - 1]!, ends[group]!);
      const ofMembers = (bits: Uint32Array) => members.map((row) => bits[row]!);
      const ranking = this.#rank(ofMembers(from), ofMembers(to));
      for (let member = 0; member < members.length; member++) {
        this.#consider(joined, members[member]!, {
          from: ranking.fromPlaces[member]!,
          to: ranking.toPlaces[member]!,
        });
      }
    }
  }

  /** To be called once, after the last pass. */
  finish(): { readonly ranking: RankingSummary; readonly movers: readonly Mover[] } {
    if (!this.#options.isGrouped) {
      const joinedOf = (side: 'from' | 'to') =>
        concatenated(
          this.#passes.map((pass) => pass[side]),
          (length) => new Uint32Array(length),
        );
      this.#rank(joinedOf('from'), joinedOf('to'));
    }
    return { ranking: this.#counter.summary, movers: this.#movers.all };
  }

  #rank(from: Uint32Array, to: Uint32Array): GroupRanking {
    const ranking = this.#ranker.rank(from, to);
    const isIn = (bits: Uint32Array) => bits.some((each) => each !== ABSENT);
    if (from.length > 0) this.#counter.add(ranking, { from: isIn(from), to: isIn(to) });
    return ranking;
  }

  /** Without places the change of the score decides: among all rows of a partition, it takes little to pass by many. */
  #consider(joined: JoinedRows, row: number, place?: { readonly from: number; readonly to: number }): void {
    const { ranked, keysOf } = this.#options;
    const [before, after] = [joined.from[ranked]![row]!, joined.to[ranked]![row]!];
    if (before === ABSENT || after === ABSENT) return;
    const [fromScore, toScore] = [scoreOfBits(before), scoreOfBits(after)];
    const places = place === undefined ? 0 : Math.abs(place.from - place.to);
    this.#movers.consider(places, Math.abs(toScore - fromScore), () => ({
      keys: keysOf(joined.keys.bytesAt(row)),
      from: { score: fromScore, place: place?.from ?? null },
      to: { score: toScore, place: place?.to ?? null },
    }));
  }
}
