import type { GroupRanking } from './rankGroup.ts';

/** How the rows' order within their groups differs between two states. Means and shares are null where nothing has them. */
export interface RankingSummary {
  /** Groups with rows in either state. */
  readonly groups: number;
  readonly groupsOnlyFrom: number;
  readonly groupsOnlyTo: number;
  /** Groups with at least two rows in both states: of these are all shares and means below. */
  readonly comparedGroups: number;
  /** Share of groups in which any two rows stand otherwise to each other. */
  readonly changedShare: number | null;
  /** Share of groups whose first row is another one. */
  readonly otherFirstShare: number | null;
  /** K. */
  readonly top: number;
  /** Mean over the groups of the rows that both first K have in common, as a share of K or of the group if that is smaller. */
  readonly meanTopOverlap: number | null;
  /** Mean of Kendall's tau-b over the groups that have one, and how many do. */
  readonly meanTau: number | null;
  readonly tauGroups: number;
  /** Share of the rows of compared groups that have another place. */
  readonly movedShare: number | null;
  /** Mean over these rows, moved or not, of the places by which they moved. */
  readonly meanPlaces: number | null;
}

/** Adds up the rankings of groups. */
export class RankingCounter {
  readonly #top: number;
  #groups = 0;
  #onlyFrom = 0;
  #onlyTo = 0;
  #compared = 0;
  #changed = 0;
  #otherFirst = 0;
  #overlapSum = 0;
  #tauSum = 0;
  #tauGroups = 0;
  #rows = 0;
  #movedRows = 0;
  #movedPlaces = 0;

  constructor(top: number) {
    this.#top = top;
  }

  add(ranking: GroupRanking, isIn: { readonly from: boolean; readonly to: boolean }): void {
    this.#groups++;
    if (!isIn.to) this.#onlyFrom++;
    if (!isIn.from) this.#onlyTo++;
    if (ranking.common < 2) return;
    this.#compared++;
    if (ranking.isChanged) this.#changed++;
    if (!ranking.isFirstSame) this.#otherFirst++;
    this.#overlapSum += ranking.topCommon / ranking.topRows;
    if (ranking.tau !== null) {
      this.#tauSum += ranking.tau;
      this.#tauGroups++;
    }
    this.#rows += ranking.common;
    this.#movedRows += ranking.movedRows;
    this.#movedPlaces += ranking.movedPlaces;
  }

  get summary(): RankingSummary {
    const ratio = (part: number, whole: number) => (whole === 0 ? null : part / whole);
    return {
      groups: this.#groups,
      groupsOnlyFrom: this.#onlyFrom,
      groupsOnlyTo: this.#onlyTo,
      comparedGroups: this.#compared,
      changedShare: ratio(this.#changed, this.#compared),
      otherFirstShare: ratio(this.#otherFirst, this.#compared),
      top: this.#top,
      meanTopOverlap: ratio(this.#overlapSum, this.#compared),
      meanTau: ratio(this.#tauSum, this.#tauGroups),
      tauGroups: this.#tauGroups,
      movedShare: ratio(this.#movedRows, this.#rows),
      meanPlaces: ratio(this.#movedPlaces, this.#rows),
    };
  }
}
