import type { GateSettings } from '../job/gateSettings.ts';
import type { FeatureReference, ModelReference } from '../profile/modelReference.ts';
import type { FeatureProfile } from '../profile/partProfile.ts';
import { chanceStability, populationStability, totalOf } from '../profile/populationStability.ts';
import { type Candidate, type Earlier, type Judged, VALIDATION } from './judged.ts';
import { pairs } from './judgeFeatures.ts';
import type { Measurement } from './verdict.ts';

/**
 * Population stability index of every feature's bins; values that are missing or new are in none. A partition that is a part of a
 * day, such as an hour or a region, may differ from the whole days that the reference knows as the same part of a day before does:
 * its hour or region does by nature. As long as there is none to tell, that warns at most.
 */
export function judgeFeatureDistributions(
  candidate: Candidate,
  earlier: Earlier,
  reference: ModelReference,
  { floor, factor }: GateSettings['featureDistributions'],
): Measurement[] {
  const { isPartOfDay = false } = earlier;
  const parts = isPartOfDay ? sameParts(candidate, earlier) : [];
  return pairs(candidate, reference).flatMap(({ counted, usual }) => {
    const measured = measure(counted, usual, usual.counts, VALIDATION, { floor, factor });
    if (measured === undefined) return [];
    if (measured.isWithin || !isPartOfDay) return [measured];
    const inParts = parts.flatMap(({ partition, features }) => {
      const bins = features.get(counted.name)?.bins ?? [];
      return measure(counted, usual, bins, partition, { floor, factor }) ?? [];
    });
    const nearest = inParts.find(({ isWithin }) => isWithin) ?? inParts[0];
    return [nearest ?? { ...measured, atMost: 'warn' }];
  });
}

/** The same hour or region of days before, as the same model counted it. */
function sameParts({ model }: Candidate, { previous, weekday }: Earlier) {
  return [previous, weekday].flatMap((other: Judged | undefined) =>
    other?.profile === undefined || other.model !== model
      ? []
      : {
          partition: other.partition,
          features: new Map(other.profile.features.map((feature) => [feature.name, feature])),
        },
  );
}

/** @returns undefined where one side has no value, or bins of another reference */
function measure(
  { name: subject, bins }: FeatureProfile,
  { spread }: FeatureReference,
  usual: readonly number[],
  against: string,
  { floor, factor }: Pick<GateSettings['featureDistributions'], 'floor' | 'factor'>,
): Measurement | undefined {
  const [found, there] = [totalOf(bins), totalOf(usual)];
  if (found === 0 || there === 0 || bins.length !== usual.length) return undefined;
  const index = populationStability(bins, usual);
  const bound = Math.max(floor, factor * spread.psi) + chanceStability(usual.length, found, there);
  const reason = 'population stability index of the values';
  return { subject, found: index, bound, isWithin: index <= bound, against, reason };
}
