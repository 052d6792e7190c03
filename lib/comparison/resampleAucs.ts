import { RandomStream } from '../base/randomStream.ts';
import { MannWhitney, scoreOrder } from '../metrics/rankAuc.ts';
import type { PairedMetricName, ReportScores, TaskLabels } from './comparisonDocument.ts';

export interface ResamplingOptions {
  /** Of one arm, one a training seed. */
  readonly runs: readonly ReportScores[];
  /** Clicks 0 or 1; conversions in [0, 1], only meaningful where click is 1. */
  readonly labels: TaskLabels;
  readonly metric: PairedMetricName;
  /** Arms of the same rows, as many runs and the same seed get the same resamples. */
  readonly seed: number;
  readonly resamples?: number;
}

/** An arm's AUCs in a bootstrap over rows and training seeds. An AUC is null where there is one class only. */
export interface ResampledAucs {
  /** On all rows, one a run. */
  readonly whole: readonly (number | null)[];
  readonly resamples: readonly Resample[];
}

export interface Resample {
  /** On the rows drawn, one a run. */
  readonly aucs: readonly (number | null)[];
  /** Which runs were drawn, by index into `aucs`, as many as there are. */
  readonly drawnRuns: readonly number[];
}

/** What an AUC needs of one run, in the order of its scores: a resample then looks up nothing but how often a row was drawn. */
interface RankedScores {
  /** Rows that count, ascending by score. */
  readonly rows: Uint32Array;
  /** Of these rows. */
  readonly labels: Float32Array;
  /** Where in `rows` each group of equal scores ends. */
  readonly tieEnds: Uint32Array;
}

/** A resample draws rows with replacement, the same for all runs, and then runs (Efron and Tibshirani 1993, chapter 6). */
export function resampleAucs({
  runs,
  labels,
  metric,
  seed,
  resamples = 1000,
}: ResamplingOptions): ResampledAucs {
  const ranked = runs.map((scores) => rank(scores, labels, metric));
  const aucsOf = (counts: Uint16Array) => ranked.map((run) => resampledAuc(run, counts));
  const rowCount = labels.click.length;
  const random = new RandomStream(seed);
  return {
    whole: aucsOf(new Uint16Array(rowCount).fill(1)),
    resamples: Array.from({ length: resamples }, () => {
      const counts = new Uint16Array(rowCount);
      for (let i = 0; i < rowCount; i++) counts[random.nextBelow(rowCount)]!++;
      return { aucs: aucsOf(counts), drawnRuns: runs.map(() => random.nextBelow(runs.length)) };
    }),
  };
}

function rank(
  { pctr, pcvr }: ReportScores,
  { click, conversion }: TaskLabels,
  metric: PairedMetricName,
): RankedScores {
  const isClickedOnly = metric === 'conversion.auc';
  const scores = metric === 'click.auc' ? pctr : isClickedOnly ? pcvr : pctr.map((p, row) => p * pcvr[row]!);
  const labels = Float32Array.from(click);
  if (metric !== 'click.auc') {
    for (let row = 0; row < labels.length; row++) if (click[row] === 1) labels[row] = conversion[row]!;
  }
  const order = scoreOrder(scores);
  const rows = isClickedOnly ? order.filter((row) => click[row] === 1) : order;
  // Past the last row there is no score, which differs from any.
  const isTieEnd = (end: number) => scores[rows[end - 1]!] !== scores[rows[end]!];
  return {
    rows,
    labels: Float32Array.from(rows, (row) => labels[row]!),
    tieEnds: Uint32Array.from(rows, (_, at) => at + 1).filter(isTieEnd),
  };
}

/** Every row counts as often as it was drawn. */
function resampledAuc({ rows, labels, tieEnds }: RankedScores, counts: Uint16Array): number | null {
  const ranked = new MannWhitney();
  let at = 0;
  for (const end of tieEnds) {
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; at < end; at++) {
      const count = counts[rows[at]!]!;
      const label = labels[at]!;
      tiedPositives += count * label;
      tiedNegatives += count * (1 - label);
    }
    ranked.addTies(tiedPositives, tiedNegatives);
  }
  return ranked.auc;
}
