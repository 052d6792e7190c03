import { type DocumentDescription, decodeDocument } from '../base/jsonDocument.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { type FeatureBins, MAX_FEATURE_BINS } from './featureBins.ts';
import {
  type FeatureReference,
  MAX_SLICE_IDS,
  type ModelReference,
  modelReferenceSchema,
} from './modelReference.ts';
import { totalOf } from './populationStability.ts';

/**
 * A reference from its file, checked to be one of a model with this layout: a gate that compared counts of other features or
 * bins would find differences where there are none, or none where there are.
 * @throws Ncs4cvrError with the description's code, naming every problem
 */
export function decodeModelReference(
  bytes: Uint8Array,
  layout: FeatureLayout,
  description: DocumentDescription,
): ModelReference {
  return decodeDocument(bytes, modelReferenceSchema, {
    ...description,
    crossCheck: (reference) => (reference === undefined ? [] : crossCheckReference(reference, layout)),
  });
}

/** What the schema can't state: that counts add up, and that they are of this layout's features and ids. */
function crossCheckReference(reference: ModelReference, layout: FeatureLayout): string[] {
  const { rows, days, scores } = reference;
  const problems = [...checkFeatures(reference, layout), ...checkSlices(reference, layout)];
  if (!isAscending(days.map(({ day }) => Date.parse(day)))) problems.push('days: expected ascending days');
  for (const name of SCORE_NAMES) {
    const counted = totalOf(scores[name].counts);
    if (counted !== rows) problems.push(`scores.${name}.counts: expected ${rows} rows, found ${counted}`);
  }
  return problems;
}

/** What a layout says of a feature, in the order in which FeatureEncoder counts them. */
interface CountedFeature {
  readonly name: string;
  readonly kind: FeatureBins['kind'];
  /** Largest local id; of numbers, which have none, infinite. */
  readonly largest: number;
  readonly isList: boolean;
}

function countedFeatures({ singles, lists, numerics }: FeatureLayout): CountedFeature[] {
  const ids = (isList: boolean) => (field: FeatureLayout['lists' | 'singles'][number]) => ({
    name: field.name,
    kind: 'ids' as const,
    largest: field.table.rowCount - 1,
    isList,
  });
  const numbers = numerics.map(({ name }) => ({
    name,
    kind: 'numbers' as const,
    largest: Number.POSITIVE_INFINITY,
    isList: false,
  }));
  return [...singles.map(ids(false)), ...lists.map(ids(true)), ...numbers];
}

function checkFeatures({ features, rows }: ModelReference, layout: FeatureLayout): string[] {
  const expected = countedFeatures(layout);
  const [wanted, found] = [expected, features].map((each) => each.map(({ name }) => name).join(', '));
  if (wanted !== found) return [`features: expected ${wanted}; found ${found}`];
  return expected.flatMap((each, index) => checkFeature(features[index]!, each, rows));
}

function checkFeature(
  { name, bins, values, missing, unseen, counts }: FeatureReference,
  { kind, largest, isList }: CountedFeature,
  rows: number,
): string[] {
  const path = `features.${name}`;
  if (bins.kind !== kind) return [`${path}.bins: expected ${kind}, found ${bins.kind}`];
  const problems: string[] = [];
  const { ends } = bins;
  if (!isAscending(ends)) problems.push(`${path}.bins.ends: expected ascending ends`);
  if (ends.length >= MAX_FEATURE_BINS) {
    problems.push(`${path}.bins.ends: expected fewer than ${MAX_FEATURE_BINS}, found ${ends.length}`);
  }
  if ((ends.at(-1) ?? 0) > largest) {
    problems.push(`${path}.bins.ends: expected ids up to ${largest}, found ${ends.at(-1)}`);
  }
  if (counts.length !== ends.length + 1) {
    problems.push(`${path}.counts: expected ${ends.length + 1}, one for each bin, found ${counts.length}`);
  }
  if (!isList && values !== rows) problems.push(`${path}.values: expected ${rows}, found ${values}`);
  if (missing > rows) problems.push(`${path}.missing: expected at most ${rows}, found ${missing}`);
  // A list's missing values are rows without any.
  const known = values - unseen - (isList ? 0 : missing);
  const counted = totalOf(counts);
  if (counted !== known) {
    problems.push(`${path}.counts: expected ${known} values in all bins, found ${counted}`);
  }
  return problems;
}

function checkSlices({ slices, rows }: ModelReference, { singles }: FeatureLayout): string[] {
  const names = slices.map(({ name }) => name);
  return slices.flatMap(({ name, ids, values, slices: parts }, index) => {
    const path = `slices.${name}`;
    const field = singles.find((single) => single.name === name);
    if (field === undefined) return [`${path}: expected a categorical or bucketed feature`];
    const problems: string[] = [];
    if (names.indexOf(name) < index) problems.push(`${path}: listed twice`);
    if (new Set(ids).size < ids.length) problems.push(`${path}.ids: an id is listed twice`);
    if (ids.length > MAX_SLICE_IDS) {
      problems.push(`${path}.ids: expected at most ${MAX_SLICE_IDS}, found ${ids.length}`);
    }
    const largest = field.table.rowCount - 1;
    const foreign = ids.filter((id) => id > largest);
    if (foreign.length > 0) problems.push(`${path}.ids: expected ids up to ${largest}, found ${foreign}`);
    if (values.length !== 0 && values.length !== ids.length) {
      problems.push(`${path}.values: expected none or ${ids.length}, found ${values.length}`);
    }
    if (parts.length !== ids.length + 1) {
      problems.push(`${path}.slices: expected ${ids.length + 1}, found ${parts.length}`);
    }
    const counted = totalOf(parts.map((part) => part.rows));
    if (counted !== rows) problems.push(`${path}.slices: expected ${rows} rows in all, found ${counted}`);
    if (parts.some((part) => [part.pctr, part.pcvr].some((mean) => (mean === null) !== (part.rows === 0)))) {
      problems.push(`${path}.slices: expected mean scores where there are rows, and nowhere else`);
    }
    return problems;
  });
}

function isAscending(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value > values[index - 1]!);
}
