import type { BucketedFeature, CategoricalFeature } from '../features/contract.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import { type FeatureLayout, tableOf } from '../features/featureLayout.ts';
import type { FittedContract } from '../features/fitContract.ts';
import { valuesOfIds } from '../features/vocabulary.ts';
import { MAX_SLICE_IDS, type ModelReference } from './modelReference.ts';
import { SCORE_UNIT } from './partProfile.ts';
import { meanOverRows, type TaskScores } from './scoreReferences.ts';

/**
 * Mean scores by the values of some features: of each the MAX_SLICE_IDS values that are most frequent in these rows (of equally
 * frequent ones those with smaller ids), and of all others together, among them missing and unseen ones.
 * @param names categorical or bucketed features
 * @param scores of the first rows of `rows`, as many as there are scores
 */
export function sliceReferences(
  names: readonly string[],
  fitted: FittedContract,
  layout: FeatureLayout,
  rows: EncodedRows,
  scores: TaskScores,
): ModelReference['slices'] {
  return names.map((name) => {
    const column = layout.singles.findIndex((single) => single.name === name);
    const { table, feature } = layout.singles[column]!;
    const idOf = (row: number) => rows.singleRows[row * layout.singles.length + column]! - table.rowStart;
    const ids = mostFrequent(scores.pctr.length, idOf);
    const slices = [...ids, undefined].map(() => ({ rows: 0, pctr: 0, pcvr: 0 }));
    const sliceOf = new Map(ids.map((id, index) => [id, slices[index]!]));
    for (const [row, pctr] of scores.pctr.entries()) {
      const slice = sliceOf.get(idOf(row)) ?? slices.at(-1)!;
      slice.rows++;
      slice.pctr += Math.round(pctr / SCORE_UNIT);
      slice.pcvr += Math.round(scores.pcvr[row]! / SCORE_UNIT);
    }
    return {
      name,
      ids,
      values: textOfIds(fitted, feature, ids),
      slices: slices.map(({ rows, pctr, pcvr }) => ({
        rows,
        pctr: meanOverRows(pctr, rows),
        pcvr: meanOverRows(pcvr, rows),
      })),
    };
  });
}

/** Of the local ids that stand for a value, the most frequent first. */
function mostFrequent(rowCount: number, idOf: (row: number) => number): number[] {
  const counts = new Map<number, number>();
  for (let row = 0; row < rowCount; row++) {
    const id = idOf(row);
    if (id > 0) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a, countOfA], [b, countOfB]) => countOfB - countOfA || a - b);
  return sorted.slice(0, MAX_SLICE_IDS).map(([id]) => id);
}

/** The values of local ids from 1; of a bucket its bounds, and none where values were hashed. */
export function textOfIds(
  { contract, vocabularies }: FittedContract,
  feature: CategoricalFeature | BucketedFeature,
  ids: readonly number[],
): string[] {
  if (feature.kind === 'bucketed') {
    const boundaries = feature.fitted!.boundaries;
    return ids.map((id) => bucketText(boundaries[id - 2], boundaries[id - 1]));
  }
  const { type, vocabulary } = tableOf(contract, feature).definition;
  if (vocabulary === undefined) return [];
  const { file, entries } = vocabulary.fitted!;
  return valuesOfIds(vocabularies.get(file)!, { type, entries }, ids);
}

function bucketText(above: number | undefined, to: number | undefined): string {
  if (above === undefined && to === undefined) return 'all';
  if (above === undefined) return `up to ${to}`;
  return to === undefined ? `above ${above}` : `above ${above} up to ${to}`;
}
