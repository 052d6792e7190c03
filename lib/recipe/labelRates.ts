import { Ncs4cvrError } from '../base/errors.ts';
import { type PerTask, perTask } from '../base/tasks.ts';
import type { LabelColumns, LabelCounts } from '../features/readLabels.ts';
import { countClasses, type FunnelLabels } from '../training/taskLabels.ts';

/**
 * P(click) and P(conversion | click) of rows that must hold different labels of both tasks: otherwise there is nothing to
 * learn from, or no checkpoint to choose by.
 * @param side such as `training`, for the message
 * @throws Ncs4cvrError TRAINING_NO_POSITIVES, TRAINING_NO_NEGATIVES, TRAINING_LABELS_EQUAL with the counts
 */
export function labelRates(labels: FunnelLabels, side: string, file: string): PerTask<number> {
  return perTask((task) => {
    const { rows, positives, differ } = countClasses(labels, task);
    const found = `${positives} ${task}s in ${rows} ${task === 'click' ? 'rows' : 'clicked rows'} with a known label`;
    if (positives === 0) {
      throw new Ncs4cvrError('TRAINING_NO_POSITIVES', `the ${side} rows have no ${task}`, {
        file,
        expected: `${task}s, and rows without`,
        found,
      });
    }
    if (positives === rows) {
      throw new Ncs4cvrError('TRAINING_NO_NEGATIVES', `the ${side} rows have ${task}s only`, {
        file,
        expected: `rows without a ${task} too; all impressions belong in the data, not the clicked ones alone`,
        found,
      });
    }
    if (!differ) {
      throw new Ncs4cvrError('TRAINING_LABELS_EQUAL', `every known ${task} of the ${side} rows is the same`, {
        file,
        expected: `${task}s that differ: no model ranks rows of one label better than another`,
        found,
      });
    }
    return positives / rows;
  });
}

/** Which rows of a side were learned from less than others, or not as they stand; empty when there are none. */
export function labelNotes(side: string, counts: LabelCounts, { matureAfter }: LabelColumns): string[] {
  const odd = [
    [counts.unknownClicks, 'with an unknown click, which are left out'],
    [counts.unknownConversions, 'clicked with an unknown conversion, which count for clicks only'],
    [counts.immatureConversions, `clicked but younger than ${matureAfter}, which count for clicks only`],
    [counts.conversionsWithoutClick, 'with a conversion but no click, whose conversion is ignored'],
  ] as const;
  const texts = odd.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return texts.length === 0 ? [] : [`of ${counts.rows} ${side} rows ${texts.join('; ')}`];
}
