/** A row that is in both states, and where it went. */
export interface Mover {
  /** Row keys by name, as text. */
  readonly keys: Readonly<Record<string, string | null>>;
  readonly from: MovedScore;
  readonly to: MovedScore;
}

interface MovedScore {
  /** The score that is ranked by. */
  readonly score: number;
  /** Among the rows of its group that are in both states, from 1; null without groups. */
  readonly place: number | null;
}

/** Keeps the rows that have moved most: by places, and among equals by the size of their score's change. */
export class Movers {
  readonly #limit: number;
  readonly #kept: { readonly places: number; readonly change: number; readonly mover: Mover }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param make called for a row that is kept for now; of equals the first one stays */
  consider(places: number, change: number, make: () => Mover): void {
    if (this.#limit === 0 || (places === 0 && change === 0)) return;
    const isLarger = (a: { places: number; change: number }) =>
      places > a.places || (places === a.places && change > a.change);
    const kept = this.#kept;
    if (kept.length === this.#limit && !isLarger(kept.at(-1)!)) return;
    let at = kept.length;
    while (at > 0 && isLarger(kept[at - 1]!)) at--;
    kept.splice(at, 0, { places, change, mover: make() });
    kept.length = Math.min(kept.length, this.#limit);
  }

  /** The largest move first. */
  get all(): readonly Mover[] {
    return this.#kept.map(({ mover }) => mover);
  }
}
