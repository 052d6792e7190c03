import { checkScoreAndLabel } from './checkLabels.ts';
import { GrowableArray } from './growableArray.ts';
import { scoreOrder, sortedAuc } from './rankAuc.ts';

/** A user's identity. The number 7 and the bigint 7n are the same user, the string '7' is another one. */
export type UserKey = string | number | bigint;

const NO_USER = -1;

/**
 * Scored and labelled rows, kept for an exact AUC and GAUC. Holds 12 to 24 bytes per row and the distinct users; up to
 * 20 more per row while computing. Scores and labels are kept as float32. A soft label y in [0, 1] counts as y positive
 * and 1 - y negative rows.
 */
export class RankedRows {
  readonly #scores = GrowableArray.float32();
  readonly #labels = GrowableArray.float32();
  readonly #userOfRow = GrowableArray.int32();
  /** Numbered by first appearance. */
  readonly #indexOfUser = new Map<UserKey, number>();

  get length(): number {
    return this.#scores.length;
  }

  /** The scores in the order they came, valid until the next change. */
  get scores(): Float32Array {
    return this.#scores.view();
  }

  /** The labels of the same rows. */
  get labels(): Float32Array {
    return this.#labels.view();
  }

  /**
   * @param user null for a row that GAUC leaves out
   * @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID
   */
  add(score: number, label: number, user: UserKey | null): void {
    checkScoreAndLabel(score, label);
    this.#scores.push(score);
    this.#labels.push(label);
    this.#userOfRow.push(user === null ? NO_USER : this.#indexOf(user));
  }

  /** Adds another state's rows after these. */
  append(other: RankedRows): void {
    const indexHere = Int32Array.from(other.#indexOfUser.keys(), (user) => this.#indexOf(user));
    this.#scores.append(other.#scores);
    this.#labels.append(other.#labels);
    for (const index of other.#userOfRow.view()) {
      this.#userOfRow.push(index === NO_USER ? NO_USER : indexHere[index]!);
    }
  }

  /**
   * The AUC of all rows, ties by mid-ranks; and the AUC within each user averaged with the user's number of rows as
   * weight, users whose labels are all 0 or all 1 left out (Zhu et al. 2017, arXiv:1703.02091, eq. 5). Both in [0, 1];
   * null when one class is absent, or when no user has both.
   */
  compute(): { readonly auc: number | null; readonly gauc: number | null } {
    const order = scoreOrder(this.scores);
    return {
      auc: sortedAuc(order, 0, order.length, this.scores, this.labels),
      gauc: this.#indexOfUser.size === 0 ? null : this.#gauc(order),
    };
  }

  #gauc(byScore: Uint32Array): number | null {
    const { order, starts } = this.#orderByUser(byScore);
    let weightedSum = 0;
    let weightSum = 0;
    for (let user = 0; user < this.#indexOfUser.size; user++) {
      const [start, end] = [starts[user]!, starts[user + 1]!];
      const auc = sortedAuc(order, start, end, this.scores, this.labels);
      if (auc === null) continue;
      weightedSum += (end - start) * auc;
      weightSum += end - start;
    }
    return weightSum > 0 ? weightedSum / weightSum : null;
  }

  /** Counting sort by user, which keeps the order by score within each user. `starts`: [users + 1] offsets. */
  #orderByUser(byScore: Uint32Array): { order: Uint32Array; starts: Uint32Array } {
    const userOfRow = this.#userOfRow.view();
    const starts = new Uint32Array(this.#indexOfUser.size + 1);
    for (const user of userOfRow) if (user !== NO_USER) starts[user + 1]! += 1;
    for (let user = 1; user < starts.length; user++) starts[user]! += starts[user - 1]!;
    const places = starts.slice();
    const order = new Uint32Array(starts.at(-1)!);
    for (const row of byScore) {
      const user = userOfRow[row]!;
      if (user === NO_USER) continue;
      order[places[user]!] = row;
      places[user]! += 1;
    }
    return { order, starts };
  }

  #indexOf(user: UserKey): number {
    const key = canonicalUser(user);
    let index = this.#indexOfUser.get(key);
    if (index === undefined) {
      index = this.#indexOfUser.size;
      this.#indexOfUser.set(key, index);
    }
    return index;
  }
}

/** One shard may hold user ids as int32, the next as int64. */
function canonicalUser(user: UserKey): UserKey {
  if (typeof user !== 'bigint') return user;
  const number = Number(user);
  return Number.isSafeInteger(number) ? number : user;
}
