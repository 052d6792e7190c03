import { type PerTask, perTask, type Task, UNKNOWN_CLICK } from '../base/tasks.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import type { SingleField } from '../features/featureLayout.ts';
import { type FunnelReport, funnelReport } from '../metrics/funnelMetrics.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import { textOfIds } from '../profile/sliceReferences.ts';
import { SPLIT_SIDES, type SplitSide } from '../recipe/splitSides.ts';
import { type LabelledRows, type LabelledSample, labelledSample, SampleScorer } from './labelledSample.ts';
import { type FeatureImportance, permutationImportance } from './permutationImportance.ts';

/** Rows of about equal score, and how many of them were positive. */
export interface ReliabilityBin {
  readonly rows: number;
  /** Mean score, in [0, 1]. */
  readonly predicted: number;
  /** Share of positive labels. */
  readonly observed: number;
}

/** The metrics of the rows that have one value of a feature. */
interface SliceMetrics {
  readonly value: string;
  readonly metrics: FunnelReport;
}

/** The metrics of the rows that were the same thing to the training. */
interface SideMetrics {
  readonly side: SplitSide;
  /** In words; null for days that the split doesn't name. */
  readonly days: string | null;
  readonly metrics: FunnelReport;
}

/** What a model does on labelled rows. */
export interface ModelMeasures {
  /** What the rows are called. */
  readonly data: string;
  /** The checkpoint was chosen on them. */
  readonly isChosenOn: boolean;
  readonly sampleRows: number;
  readonly dataRows: number;
  readonly metrics: FunnelReport;
  /** The same of training days and of others apart; null where these can't be told. */
  readonly sides: readonly SideMetrics[] | null;
  /** Of about equally many rows each, by rising score. */
  readonly reliability: PerTask<readonly ReliabilityBin[]>;
  readonly importance: readonly FeatureImportance[];
  readonly slices: readonly { readonly feature: string; readonly slices: readonly SliceMetrics[] }[];
}

export interface MeasureOptions {
  /** Rows that are measured, at most; taken at equal distances. */
  readonly rows: number;
  readonly onProgress?: (done: number, all: number) => void;
}

const REPEATS = 3;
const SEED = 1;
const RELIABILITY_BINS = 15;
/** Where the training config names no slices: features with so few values, and so many of them. */
const SMALL_TABLE = 12;
const MOST_SLICED = 3;

/**
 * @param source labelled rows, or a URI of labelled shards
 * @throws Ncs4cvrError of the data's shards
 */
export async function measureModel(
  bundle: ModelBundle,
  source: LabelledRows | string,
  { rows, onProgress }: MeasureOptions,
): Promise<ModelMeasures> {
  const sample = await labelledSample(bundle, source, rows);
  const scorer = await SampleScorer.create(bundle, sample);
  try {
    const scores = await scorer.score();
    const importance = await permutationImportance(scorer, sample, scores, bundle.layout, {
      ...{ repeats: REPEATS, seed: SEED },
      ...(onProgress === undefined ? {} : { onFeature: onProgress }),
    });
    return {
      ...{ data: sample.from.name, isChosenOn: sample.from.isChosenOn },
      ...{ sampleRows: sample.rowCount, dataRows: sample.dataRows, importance },
      metrics: metricsOf(sample, scores, () => true),
      sides: sidesOf(sample, scores),
      reliability: perTask((task) => reliabilityOf(sample, scores, task)),
      slices: slicesOf(bundle, sample, scores),
    };
  } finally {
    await scorer.release();
  }
}

function sidesOf(sample: LabelledSample, scores: TaskScores): ModelMeasures['sides'] {
  const { sides } = sample.from;
  if (sides === undefined) return null;
  const sideOfRow = sample.days.map(sides.sideOf);
  return SPLIT_SIDES.filter((side) => sideOfRow.includes(side)).map((side) => ({
    ...{ side, days: sides.daysOf(side) ?? null },
    metrics: metricsOf(sample, scores, (row) => sideOfRow[row] === side),
  }));
}

function metricsOf(
  { rowCount, click, conversion }: LabelledSample,
  { pctr, pcvr }: TaskScores,
  isIn: (row: number) => boolean,
): FunnelReport {
  const rows = Int32Array.from(Array.from({ length: rowCount }, (_, row) => row).filter(isIn));
  return funnelReport({
    click: Uint8Array.from(rows, (row) => click[row]!),
    conversion: Float32Array.from(rows, (row) => conversion[row]!),
    pctr: Float32Array.from(rows, (row) => pctr[row]!),
    pcvr: Float32Array.from(rows, (row) => pcvr[row]!),
  });
}

function reliabilityOf(
  { rowCount, click, conversion }: LabelledSample,
  scores: TaskScores,
  task: Task,
): ReliabilityBin[] {
  const isLabelled = (row: number) =>
    task === 'click' ? click[row] !== UNKNOWN_CLICK : click[row] === 1 && !Number.isNaN(conversion[row]!);
  const score = task === 'click' ? scores.pctr : scores.pcvr;
  const label = task === 'click' ? click : conversion;
  const rows = Array.from({ length: rowCount }, (_, row) => row)
    .filter(isLabelled)
    .sort((a, b) => score[a]! - score[b]!);
  const bins = Math.min(RELIABILITY_BINS, rows.length);
  return Array.from({ length: bins }, (_, bin) => {
    const some = rows.slice(
      Math.floor((bin * rows.length) / bins),
      Math.floor(((bin + 1) * rows.length) / bins),
    );
    const mean = (of: ArrayLike<number>) => some.reduce((sum, row) => sum + of[row]!, 0) / some.length;
    return { rows: some.length, predicted: mean(score), observed: mean(label) };
  });
}

/** By the features that the reference has slices of, or else by those with few values; ids stand for values that were hashed. */
function slicesOf(bundle: ModelBundle, sample: LabelledSample, scores: TaskScores): ModelMeasures['slices'] {
  const { singles } = bundle.layout;
  const named = bundle.reference?.slices ?? [];
  const known = named.flatMap(({ name, ids, values }) => {
    const place = singles.findIndex((single) => single.name === name);
    return place === -1 ? [] : [{ place, ids, values }];
  });
  const small = [...singles.entries()]
    .filter(([, { table }]) => table.rowCount <= SMALL_TABLE)
    .slice(0, MOST_SLICED)
    .map(([place, { table, feature }]) => {
      const ids = Array.from({ length: table.rowCount - 1 }, (_, id) => id + 1);
      return { place, ids, values: textOfIds(bundle, feature, ids) };
    });
  return (known.length > 0 ? known : small).map(({ place, ids, values }) => {
    const idOf = localIds(singles[place]!, sample.rows.singleRows, singles.length, place);
    const wanted = new Set(ids);
    const slices = ids.map((id, index) => ({
      value: values[index] ?? `id ${id}`,
      metrics: metricsOf(sample, scores, (row) => idOf(row) === id),
    }));
    const others = {
      value: 'all others',
      metrics: metricsOf(sample, scores, (row) => !wanted.has(idOf(row))),
    };
    return {
      feature: singles[place]!.name,
      slices: [...slices, others].filter(({ metrics }) => metrics.rows > 0),
    };
  });
}

/** A row's id within the feature's own table; 0 for a missing or unseen value. */
function localIds(
  { table }: SingleField,
  singleRows: Int32Array,
  width: number,
  place: number,
): (row: number) => number {
  return (row) => singleRows[row * width + place]! - table.rowStart;
}
