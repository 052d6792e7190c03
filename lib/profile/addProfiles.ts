import { Ncs4cvrError } from '../base/errors.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ModelReference } from './modelReference.ts';
import type { FeatureProfile, LabelProfile, PartProfile } from './partProfile.ts';
import { SCORE_BINS } from './scoreHistogram.ts';

/** What of a model's reference says how rows are counted. */
export interface ProfileBins {
  readonly features: readonly Pick<ModelReference['features'][number], 'name' | 'bins'>[];
  readonly slices: readonly Pick<ModelReference['slices'][number], 'name' | 'ids'>[];
}

/** The bins of a reference, without what it counted itself. */
export function profileBins({ features, slices }: ModelReference): ProfileBins {
  return {
    features: features.map(({ name, bins }) => ({ name, bins })),
    slices: slices.map(({ name, ids }) => ({ name, ids })),
  };
}

/** The profile of no rows, with the features in the order of `FeatureEncoder.counts`. @param bins none without a reference */
export function emptyProfile(
  { singles, lists, numerics }: Pick<FeatureLayout, 'singles' | 'lists' | 'numerics'>,
  bins: ProfileBins = { features: [], slices: [] },
): PartProfile {
  const endsOf = new Map(bins.features.map((feature) => [feature.name, feature.bins.ends]));
  return {
    rows: 0,
    features: [...singles, ...lists, ...numerics].map(({ name }) => {
      const ends = endsOf.get(name);
      return {
        name,
        values: 0,
        missing: 0,
        unseen: 0,
        bins: ends === undefined ? [] : zeros(ends.length + 1),
      };
    }),
    slices: bins.slices.map(({ name, ids }) => ({
      name,
      slices: Array.from({ length: ids.length + 1 }, () => ({ rows: 0, pctr: 0, pcvr: 0 })),
    })),
  };
}

/** The labels of no rows, of one task. */
export function emptyLabels(): LabelProfile {
  return {
    rows: 0,
    positives: 0,
    score: 0,
    rowCounts: zeros(SCORE_BINS),
    positiveCounts: zeros(SCORE_BINS),
  };
}

/**
 * The profile of two disjoint sets of rows, encoded by one contract. Commutative and associative.
 *
 * Labels of one side stand alone where the other has none: the rows that labels are known of are counted with them. Bins and
 * slices are dropped where the two sides were counted by different references, which add up to nothing: copies of one model may
 * differ in their references.
 */
export function addProfiles(a: PartProfile, b: PartProfile): PartProfile {
  const labels =
    a.labels === undefined || b.labels === undefined
      ? (a.labels ?? b.labels)
      : {
          click: addLabels(a.labels.click, b.labels.click),
          conversion: addLabels(a.labels.conversion, b.labels.conversion),
        };
  return {
    rows: a.rows + b.rows,
    features: a.features.map((feature, index) => addFeatures(feature, b.features[index]!)),
    slices: addSlices(a.slices, b.slices),
    ...(labels === undefined ? {} : { labels }),
  };
}

/**
 * Profiles that one contract has made have the same features in the same order; only then do they add up.
 * @param file that `b` was read from
 * @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID
 */
export function refuseOtherFeatures(
  a: readonly Pick<FeatureProfile, 'name'>[],
  b: readonly Pick<FeatureProfile, 'name'>[],
  file: string,
): void {
  const [expected, found] = [a, b].map((features) => features.map(({ name }) => name).join(', '));
  if (expected === found) return;
  throw new Ncs4cvrError('PUBLISH_DOCUMENT_INVALID', 'profiles of one partition have different features', {
    ...{ file, expected: expected!, found: found! },
  });
}

function addFeatures(a: FeatureProfile, b: FeatureProfile): FeatureProfile {
  return {
    name: a.name,
    values: a.values + b.values,
    missing: a.missing + b.missing,
    unseen: a.unseen + b.unseen,
    bins: a.bins.length === b.bins.length ? addCounts(a.bins, b.bins) : [],
  };
}

function addSlices(a: PartProfile['slices'], b: PartProfile['slices']): PartProfile['slices'] {
  const shape = (of: PartProfile['slices']) =>
    JSON.stringify(of.map(({ name, slices }) => [name, slices.length]));
  if (shape(a) !== shape(b)) return [];
  return a.map(({ name, slices }, index) => ({
    name,
    slices: slices.map((slice, at) => {
      const other = b[index]!.slices[at]!;
      return {
        rows: slice.rows + other.rows,
        pctr: slice.pctr + other.pctr,
        pcvr: slice.pcvr + other.pcvr,
      };
    }),
  }));
}

function addLabels(a: LabelProfile, b: LabelProfile): LabelProfile {
  const soft = (a.soft ?? 0) + (b.soft ?? 0);
  return {
    rows: a.rows + b.rows,
    positives: a.positives + b.positives,
    score: a.score + b.score,
    rowCounts: addCounts(a.rowCounts, b.rowCounts),
    positiveCounts: addCounts(a.positiveCounts, b.positiveCounts),
    ...(soft === 0 ? {} : { soft }),
  };
}

function addCounts(a: readonly number[], b: readonly number[]): number[] {
  return a.map((count, index) => count + b[index]!);
}

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0);
}
