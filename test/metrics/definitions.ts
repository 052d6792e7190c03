/** The definitions, as slow as they read, to judge the fast states by. */

export interface LabelledScore {
  readonly score: number;
  readonly label: number;
}

/** AUC = P(score of a positive > score of a negative) + P(equal) / 2 over all pairs, soft labels as weights. */
export function aucByPairs(rows: readonly LabelledScore[]): number | null {
  let concordant = 0;
  let pairs = 0;
  for (const positive of rows) {
    for (const negative of rows) {
      const weight = positive.label * (1 - negative.label);
      pairs += weight;
      if (positive.score > negative.score) concordant += weight;
      else if (positive.score === negative.score) concordant += weight / 2;
    }
  }
  return pairs === 0 ? null : concordant / pairs;
}

/** Row-weighted mean of the users' AUCs, users of one class left out. */
export function gaucByPairs(rows: readonly (LabelledScore & { readonly user: unknown })[]): number | null {
  const users = new Set(rows.map((row) => row.user));
  let sum = 0;
  let weight = 0;
  for (const user of users) {
    const own = rows.filter((row) => row.user === user);
    const auc = aucByPairs(own);
    if (auc === null) continue;
    sum += own.length * auc;
    weight += own.length;
  }
  return weight === 0 ? null : sum / weight;
}
