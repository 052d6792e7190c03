import { TASKS } from '../base/tasks.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import { type LabelProfile, SCORE_UNIT } from '../profile/partProfile.ts';
import type { Candidate } from './judged.ts';
import type { Measurement } from './verdict.ts';

/** The score of each task. */
const SCORE_OF = { click: 'pctr', conversion: 'pcvr' } as const;
const AGAINST = 'the labels that are there';

/** Do scores foretell the labels that have arrived: as many positives as their sum, and the positives in front? */
export function judgeCalibration(
  { profile }: Candidate,
  { ratio, lowestAuc, leastLabels }: GateSettings['calibration'],
): Measurement[] {
  const { labels } = profile;
  if (labels === undefined) return [];
  return TASKS.flatMap((task) => {
    const counted = labels[task];
    const { rows, positives, score } = counted;
    if (Math.min(positives, rows - positives) < leastLabels) return [];
    const foretold = score * SCORE_UNIT;
    const found = Math.max(foretold / positives, positives / foretold);
    const auc = aucOf(counted);
    const subject = SCORE_OF[task];
    return [
      {
        subject,
        found,
        bound: ratio,
        isWithin: found <= ratio,
        against: AGAINST,
        reason: `${positives} positive labels, and ${foretold.toFixed(1)} foretold`,
      },
      {
        subject,
        found: auc,
        bound: lowestAuc,
        isWithin: auc >= lowestAuc,
        against: AGAINST,
        reason: `AUC of ${rows} labels`,
      },
    ];
  });
}

/** Of the two histograms: a positive counts against the negatives below its bin, and half against those in it. */
function aucOf({ rowCounts, positiveCounts, rows, positives }: LabelProfile): number {
  let [below, won] = [0, 0];
  for (const [bin, count] of rowCounts.entries()) {
    const positive = positiveCounts[bin]!;
    const negative = count - positive;
    won += positive * (below + negative / 2);
    below += negative;
  }
  return won / (positives * (rows - positives));
}
