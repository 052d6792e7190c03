import { RandomStream } from '../base/randomStream.ts';
import { meanOf } from '../base/sumOf.ts';
import { type PerTask, perTask } from '../base/tasks.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { funnelReport } from '../metrics/funnelMetrics.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import type { LabelledSample, SampleScorer } from './labelledSample.ts';

/** How much worse a task's AUC is when one feature's values are dealt out at random; below 0 where that helped, by chance. */
interface AucLoss {
  readonly mean: number;
  /** Of the repeats. */
  readonly low: number;
  readonly high: number;
}

export interface FeatureImportance {
  readonly feature: string;
  /** Null for a task that has one class only in the sample. */
  readonly loss: PerTask<AucLoss | null>;
}

/** Copies a feature's values from a row of the sample into a row that is about to be scored. */
type CopyFeature = (into: EncodedRows, row: number, from: EncodedRows, source: number) => void;

/**
 * Permutation importance (Breiman 2001, section 10; Fisher et al. 2019, arXiv:1801.01489): for each feature the sample is scored
 * with that feature's values in another order of the rows, all others as they are. Features that say the same cover for each
 * other: both look unimportant.
 * @param scores of the sample as it is
 * @returns the largest loss of either task first
 */
export async function permutationImportance(
  scorer: SampleScorer,
  sample: LabelledSample,
  scores: TaskScores,
  layout: FeatureLayout,
  {
    repeats,
    seed,
    onFeature,
  }: {
    readonly repeats: number;
    readonly seed: number;
    readonly onFeature?: (done: number, all: number) => void;
  },
): Promise<FeatureImportance[]> {
  const base = aucsOf(sample, scores);
  const random = new RandomStream(seed);
  const features = copiesOf(layout);
  const found: FeatureImportance[] = [];
  for (const [name, copy] of features) {
    const losses: PerTask<number[]> = { click: [], conversion: [] };
    for (let repeat = 0; repeat < repeats; repeat++) {
      const order = Int32Array.from({ length: sample.rowCount }, (_, row) => row);
      random.shuffle(order);
      const changed = await scorer.score((into, at, count) => {
        for (let row = 0; row < count; row++) copy(into, row, sample.rows, order[at + row]!);
      });
      const aucs = aucsOf(sample, changed);
      for (const task of ['click', 'conversion'] as const) {
        const [before, after] = [base[task], aucs[task]];
        if (before !== null && after !== null) losses[task].push(before - after);
      }
    }
    found.push({ feature: name, loss: perTask((task) => summary(losses[task])) });
    onFeature?.(found.length, features.length);
  }
  const size = ({ loss }: FeatureImportance) => Math.max(loss.click?.mean ?? 0, loss.conversion?.mean ?? 0);
  return found.sort((a, b) => size(b) - size(a));
}

function summary(losses: readonly number[]): AucLoss | null {
  if (losses.length === 0) return null;
  const mean = meanOf(losses, (loss) => loss);
  return { mean, low: Math.min(...losses), high: Math.max(...losses) };
}

function aucsOf({ click, conversion }: LabelledSample, scores: TaskScores): PerTask<number | null> {
  const report = funnelReport({ ...scores, click, conversion });
  return { click: report.click.auc, conversion: report.conversion.auc };
}

/** Where each feature's values lie among the encoded rows (featureLayout.ts). */
function copiesOf({
  singles,
  lists,
  numerics,
  listWidth,
  denseWidth,
}: FeatureLayout): [string, CopyFeature][] {
  const width = singles.length;
  return [
    ...singles.map(({ name }, index): [string, CopyFeature] => [
      name,
      (into, row, from, source) => {
        into.singleRows[row * width + index] = from.singleRows[source * width + index]!;
      },
    ]),
    ...lists.map(({ name, position, feature }): [string, CopyFeature] => [
      name,
      (into, row, from, source) => {
        const start = source * listWidth + position;
        const end = start + feature.maxLength;
        into.listRows.set(from.listRows.subarray(start, end), row * listWidth + position);
        into.listWeights.set(from.listWeights.subarray(start, end), row * listWidth + position);
      },
    ]),
    ...numerics.map(({ name }, index): [string, CopyFeature] => [
      name,
      (into, row, from, source) => {
        const start = source * denseWidth + 2 * index;
        into.dense.set(from.dense.subarray(start, start + 2), row * denseWidth + 2 * index);
      },
    ]),
  ];
}
