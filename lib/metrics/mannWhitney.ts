/**
 * The Mann-Whitney statistic of rows that come by ascending score, one group of equal scores at a time; tied pairs count
 * one half (mid-ranks; Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).
 */
export class MannWhitney {
  #concordant = 0;
  #positives = 0;
  #negatives = 0;

  /** All positive and negative rows of the next higher score. Rows may count in parts or several times. */
  addTies(positives: number, negatives: number): void {
    this.#concordant += positives * (this.#negatives + negatives / 2);
    this.#positives += positives;
    this.#negatives += negatives;
  }

  /** Share of concordant pairs, in [0, 1]; null without positives or without negatives. */
  get auc(): number | null {
    if (this.#positives <= 0 || this.#negatives <= 0) return null;
    return this.#concordant / (this.#positives * this.#negatives);
  }
}
