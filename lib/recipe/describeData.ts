import type { FeatureLayout } from '../features/featureLayout.ts';
import { addBinCounts, countFeatureBins } from '../profile/countFeatureBins.ts';
import { addCounted, type CountedFeatures, featureReferences } from '../profile/featureReferences.ts';
import { fitFeatureBins } from '../profile/fitFeatureBins.ts';
import type { FeatureReference } from '../profile/modelReference.ts';
import type { TrainingSet } from '../training/trainingSet.ts';
import type { DayRows } from './dayTally.ts';

/** A training set, and which of its rows are of which day. */
export interface EncodedSide {
  readonly set: TrainingSet;
  readonly days: readonly DayRows[];
}

/** What the rows of a training looked like, whatever model was trained on them. */
export interface DescribedData {
  readonly features: readonly FeatureReference[];
  /** Of the training set and of the validation set, by day. */
  readonly trainingDays: readonly DayRows[];
  readonly validationDays: readonly DayRows[];
  /** As ModelReference.repeatedKeys. */
  readonly repeatedKeys: number;
}

/** Bins of the training rows, what of the validation rows is in them, and how far each day is from all days. */
export function describeData(
  layout: FeatureLayout,
  training: EncodedSide,
  validation: EncodedSide,
  repeatedKeys: number,
): DescribedData {
  const bins = fitFeatureBins(layout, training.set.rows, training.set.rowCount);
  const counted = ({ set, days }: EncodedSide): CountedFeatures[] =>
    days.map(({ rows, ranges, counts }) => ({
      rows,
      counts,
      bins: ranges
        .map(({ start, end }) => countFeatureBins(layout, bins, set.rows, start, end))
        .reduce(addBinCounts),
    }));
  const ofValidation = counted(validation);
  const hasDays = validation.days.every(({ day }) => day !== undefined);
  const days = hasDays ? [...counted(training), ...ofValidation] : [];
  return {
    features: featureReferences(bins, ofValidation.reduce(addCounted), days),
    trainingDays: training.days,
    validationDays: validation.days,
    repeatedKeys,
  };
}
