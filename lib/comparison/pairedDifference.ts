import { RandomStream } from '../base/randomStream.ts';
import { meanOf } from '../base/sumOf.ts';
import { UNKNOWN_CLICK } from '../base/tasks.ts';
import { MannWhitney, scoreOrder } from '../metrics/rankAuc.ts';
import type { UserKey } from '../metrics/rankedRows.ts';
import { hasConversionLabel } from '../training/taskLabels.ts';
import type { PairedDifference, PairedMetricName } from './comparisonDocument.ts';
import type { ReportLabels } from './reportRows.ts';
import type { ReportScores } from './runFolder.ts';

interface ResamplingOptions {
  /** Of one arm, one per training seed. */
  readonly runs: readonly ReportScores[];
  /** Clicks 0, 1 or UNKNOWN_CLICK; conversions in [0, 1] or NaN, only meaningful where click is 1. */
  readonly labels: Pick<ReportLabels, 'click' | 'conversion'> & Partial<Pick<ReportLabels, 'users'>>;
  readonly metric: PairedMetricName;
  /** Arms of the same rows, as many runs and the same seed get the same resamples. */
  readonly seed: number;
  readonly resamples?: number;
}

/** An arm's AUCs in a bootstrap over users, or rows, and training seeds. An AUC is null where there is one class only. */
export interface ResampledAucs {
  /** On all rows, one per run. */
  readonly whole: readonly (number | null)[];
  readonly resamples: readonly Resample[];
}

interface Resample {
  /** On the rows drawn, one per run. */
  readonly aucs: readonly (number | null)[];
  /** Which runs were drawn, by index into `aucs`: one fewer than there are, one at least. */
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

/**
 * A resample draws users with all of their rows, the same for all runs, and then runs (Efron and Tibshirani 1993, chapter 6);
 * rows where it isn't known whose they are. A model errs alike on the rows of one user: with 20 rows of each, intervals over
 * rows were a quarter too narrow.
 *
 * Of n runs, n - 1 are drawn (against narrowness, Hesterberg 2015, doi:10.1080/00031305.2015.1089789): the mean of n of them spreads by
 * sqrt((n - 1) / n) less than the mean of n new ones would, a tenth less with five seeds.
 */
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
  const drawnCount = Math.max(1, runs.length - 1);
  const { groupOfRow, groupCount } = groupRows(rowCount, labels.users);
  const random = new RandomStream(seed);
  return {
    whole: aucsOf(new Uint16Array(rowCount).fill(1)),
    resamples: Array.from({ length: resamples }, () => {
      const drawn = new Uint16Array(groupCount);
      for (let i = 0; i < groupCount; i++) drawn[random.nextBelow(groupCount)]!++;
      const counts = new Uint16Array(rowCount);
      for (let row = 0; row < rowCount; row++) counts[row] = drawn[groupOfRow[row]!]!;
      return {
        aucs: aucsOf(counts),
        drawnRuns: Array.from({ length: drawnCount }, () => random.nextBelow(runs.length)),
      };
    }),
  };
}

/** Which rows are drawn together: those of one user; a row without a user is alone. */
function groupRows(
  rowCount: number,
  users: ReportLabels['users'],
): { readonly groupOfRow: Int32Array; readonly groupCount: number } {
  const groupOfUser = new Map<UserKey, number>();
  let groupCount = 0;
  const groupOfRow = Int32Array.from({ length: rowCount }, (_, row) => {
    const user = users?.[row] ?? null;
    const known = user === null ? undefined : groupOfUser.get(user);
    if (known !== undefined) return known;
    if (user !== null) groupOfUser.set(user, groupCount);
    return groupCount++;
  });
  return { groupOfRow, groupCount };
}

function rank(
  { pctr, pcvr }: ReportScores,
  { click, conversion }: ResamplingOptions['labels'],
  metric: PairedMetricName,
): RankedScores {
  const isClickedOnly = metric === 'conversion.auc';
  const scores = metric === 'click.auc' ? pctr : isClickedOnly ? pcvr : pctr.map((p, row) => p * pcvr[row]!);
  const labels = Float32Array.from(click);
  if (metric !== 'click.auc') {
    for (let row = 0; row < labels.length; row++) if (click[row] === 1) labels[row] = conversion[row]!;
  }
  const isKnown = (row: number) =>
    metric === 'click.auc'
      ? click[row] !== UNKNOWN_CLICK
      : hasConversionLabel({ click, conversion }, row) || (click[row] === 0 && !isClickedOnly);
  const rows = scoreOrder(scores).filter(isKnown);
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

/**
 * Difference of two arms' AUCs, reference minus other, with a 95% percentile interval (Efron and Tibshirani 1993,
 * chapter 13), which covers the noise of users (rows) and of training seeds.
 * @param other the same resamples, with runs of the same seeds in the same order
 */
export function pairedDifference(reference: ResampledAucs, other: ResampledAucs): PairedDifference {
  const values = reference.whole.map((auc, run) => (auc ?? Number.NaN) - (other.whole[run] ?? Number.NaN));
  const means = reference.resamples
    .map((resample, i) => meanDifference(resample, other.resamples[i]!))
    .filter((value) => value !== null)
    .sort((a, b) => a - b);
  return { mean: mean(values), low: quantile(means, 0.025), high: quantile(means, 0.975), values };
}

/** Over the runs drawn; null where one of them has no AUC. */
function meanDifference(reference: Resample, other: Resample): number | null {
  const drawn: number[] = [];
  for (const run of reference.drawnRuns) {
    const [first, second] = [reference.aucs[run]!, other.aucs[run]!];
    if (first === null || second === null) return null;
    drawn.push(first - second);
  }
  return mean(drawn);
}

function mean(values: readonly number[]): number {
  return meanOf(values, (value) => value);
}

/** Linear between the neighbours. @param sorted ascending; NaN when empty */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
}
