import { sliceEncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { addProfiles } from '../profile/addProfiles.ts';
import { featureReferences } from '../profile/featureReferences.ts';
import { fitFeatureBins } from '../profile/fitFeatureBins.ts';
import type { FeatureReference } from '../profile/modelReference.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import { ProfileCounter } from '../profile/profileCounter.ts';
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

/** Only slices look at scores. */
const NO_SCORES = { pctr: new Float32Array(0), pcvr: new Float32Array(0) };

/** Bins of the training rows, what of the validation rows is in them, and how far each day is from all days. */
export function describeData(
  layout: FeatureLayout,
  training: EncodedSide,
  validation: EncodedSide,
  repeatedKeys: number,
): DescribedData {
  const bins = fitFeatureBins(layout, training.set.rows, training.set.rowCount);
  const names = validation.days[0]!.counts.map(({ name }) => name);
  const features = bins.map((each, feature) => ({ name: names[feature]!, bins: each }));
  const counter = new ProfileCounter(layout, { features, slices: [] });
  const counted = ({ set, days }: EncodedSide): PartProfile[] =>
    days.map(({ ranges, counts }) => {
      counter.reset();
      for (const { start, end } of ranges) {
        counter.add(sliceEncodedRows(layout, set.rows, start, end), end - start, NO_SCORES);
      }
      return counter.profile(counts);
    });
  const ofValidation = counted(validation);
  const hasDays = validation.days.every(({ day }) => day !== undefined);
  const days = hasDays ? [...counted(training), ...ofValidation] : [];
  return {
    features: featureReferences(bins, ofValidation.reduce(addProfiles), days),
    trainingDays: training.days,
    validationDays: validation.days,
    repeatedKeys,
  };
}
