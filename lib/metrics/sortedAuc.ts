import { MannWhitney } from './mannWhitney.ts';

/**
 * AUC of the rows `order[start..end)`, which ascend by score. A row of label y is y positive and 1 - y negative rows
 * of the same score.
 * @returns null when all labels are 0 or all are 1
 */
export function sortedAuc(
  order: Uint32Array,
  start: number,
  end: number,
  scores: Float32Array,
  labels: Float32Array,
): number | null {
  const ranked = new MannWhitney();
  for (let i = start; i < end; ) {
    const score = scores[order[i]!]!;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; i < end && scores[order[i]!] === score; i++) {
      const label = labels[order[i]!]!;
      tiedPositives += label;
      tiedNegatives += 1 - label;
    }
    ranked.addTies(tiedPositives, tiedNegatives);
  }
  return ranked.auc;
}
