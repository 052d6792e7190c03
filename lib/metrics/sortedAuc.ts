/**
 * AUC of the rows `order[start..end)`, which ascend by score. A row of label y is y positive and 1 - y negative rows
 * of the same score; tied pairs count one half (mid-ranks). Equals the Mann-Whitney statistic
 * (Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).
 * @returns null when all labels are 0 or all are 1
 */
export function sortedAuc(
  order: Uint32Array,
  start: number,
  end: number,
  scores: Float32Array,
  labels: Float32Array,
): number | null {
  let concordant = 0;
  let positives = 0;
  let negatives = 0;
  for (let i = start; i < end; ) {
    const score = scores[order[i]!]!;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; i < end && scores[order[i]!] === score; i++) {
      const label = labels[order[i]!]!;
      tiedPositives += label;
      tiedNegatives += 1 - label;
    }
    concordant += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return positives > 0 && negatives > 0 ? concordant / (positives * negatives) : null;
}
