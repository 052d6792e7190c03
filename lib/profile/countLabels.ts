import type { RecordBatch, Schema } from 'apache-arrow';
import { isLabelColumn, labelColumn, readLabel } from '../features/labelValues.ts';
import type { LabelColumns } from '../features/readLabels.ts';
import { emptyLabels } from './addProfiles.ts';
import { type LabelProfile, type PartProfile, scoreUnits } from './partProfile.ts';
import { SCORE_BINS, scoreBinOf } from './scoreHistogram.ts';

type LabelsOfTasks = Pick<LabelColumns, 'click' | 'conversion'>;
type MutableLabels = {
  -readonly [Key in keyof LabelProfile]: LabelProfile[Key] extends readonly number[]
    ? number[]
    : LabelProfile[Key];
};

/** Whether both labels can be read. Columns of other types are none: scoring doesn't fail for the sake of labels. */
export function hasLabels({ fields }: Schema, { click, conversion }: LabelsOfTasks): boolean {
  return [click, conversion].every((label) =>
    fields.some(({ name, type }) => name === labelColumn(label) && isLabelColumn(type, label)),
  );
}

/**
 * Counts labels against the scores of the same rows, in the batches that have both columns: clicks of all rows, conversions of
 * clicked ones. A label that is null or outside of [0, 1] isn't known.
 * @param scores of all rows, one batch after the other
 * @returns undefined where no batch has them
 */
export function countLabels(
  batches: readonly RecordBatch[],
  labels: LabelsOfTasks,
  scores: { readonly pctr: Float32Array; readonly pcvr: Float32Array },
): PartProfile['labels'] {
  let counted: { click: MutableLabels; conversion: MutableLabels } | undefined;
  let start = 0;
  for (const batch of batches) {
    const end = start + batch.numRows;
    if (hasLabels(batch.schema, labels)) {
      counted ??= { click: copied(emptyLabels()), conversion: copied(emptyLabels()) };
      const clicks = readLabel(batch, labels.click)!.numbers;
      const conversions = readLabel(batch, labels.conversion)!.numbers.map((label, row) =>
        clicks[row] === 1 ? label : Number.NaN,
      );
      addLabels(counted.click, clicks, scores.pctr.subarray(start, end));
      addLabels(counted.conversion, conversions, scores.pcvr.subarray(start, end));
    }
    start = end;
  }
  return counted;
}

function addLabels(into: MutableLabels, labels: Float64Array, scores: Float32Array): void {
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  for (let row = 0; row < scores.length; row++) {
    const label = labels[row]!;
    if (label !== 0 && label !== 1) {
      if (label > 0 && label < 1) into.soft = (into.soft ?? 0) + 1;
      continue;
    }
    // What isn't a score has no bin; the part will be refused.
    const bin = Math.min(scoreBinOf(bits[row]!), SCORE_BINS - 1);
    into.rows++;
    into.positives += label;
    into.score += scoreUnits(scores[row]!);
    into.rowCounts[bin]!++;
    into.positiveCounts[bin]! += label;
  }
}

function copied(labels: LabelProfile): MutableLabels {
  return { ...labels, rowCounts: [...labels.rowCounts], positiveCounts: [...labels.positiveCounts] };
}
