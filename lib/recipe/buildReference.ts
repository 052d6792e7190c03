import { perTask, UNKNOWN_CLICK } from '../base/tasks.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { SCORE_UNIT } from '../profile/partProfile.ts';
import {
  type CountedScores,
  countScores,
  scoreReferences,
  type TaskScores,
} from '../profile/scoreReferences.ts';
import { sliceReferences } from '../profile/sliceReferences.ts';
import { rowsOfTask } from '../training/taskLabels.ts';
import type { TrainingSet } from '../training/trainingSet.ts';
import type { DayRows } from './dayTally.ts';
import type { TrainingData } from './encodeData.ts';

/**
 * Rows of a day that are scored to see how far days differ, evenly spread over it: a mean of 5,000 scores is within a few per
 * cent of the day's, and scoring all training rows would take a fifth of an epoch.
 */
const SCORED_DAY_ROWS = 5000;

/** The trainer's scores of chosen rows of a set, of all by default. */
type Predict = (set: TrainingSet, rows?: Int32Array) => Promise<TaskScores>;

type DescribedRows = Pick<
  TrainingData,
  'described' | 'contract' | 'vocabularies' | 'layout' | 'trainingSet' | 'validationSet'
>;

/** What a bundle's gates compare a night with: the data's rows, and this model's scores of them. */
export async function buildReference(
  { described, contract, vocabularies, layout, trainingSet, validationSet }: DescribedRows,
  slices: readonly string[],
  predict: Predict,
): Promise<ModelReference> {
  const { features, trainingDays, validationDays, repeatedKeys } = described;
  const scores = await predict(validationSet);
  const isOfDay = ({ day }: DayRows) => day !== undefined;
  const dayScores: CountedScores[] = [];
  for (const day of trainingDays.filter(isOfDay)) {
    dayScores.push(countScores(await predict(trainingSet, chosenRows(day))));
  }
  for (const day of validationDays.filter(isOfDay)) {
    const rows = chosenRows(day);
    const pick = (all: Float32Array) => Float32Array.from(rows, (row) => all[row]!);
    dayScores.push(countScores({ pctr: pick(scores.pctr), pcvr: pick(scores.pcvr) }));
  }
  const rates = referenceRates(validationSet);
  const days = [...trainingDays, ...validationDays].flatMap(({ day, rows }) =>
    day === undefined ? [] : [{ day, rows }],
  );
  return {
    referenceVersion: 1,
    rows: validationSet.rowCount,
    days: days.sort((a, b) => (a.day < b.day ? -1 : 1)),
    features,
    scores: scoreReferences(countScores(scores), dayScores),
    slices: sliceReferences(slices, { contract, vocabularies }, layout, validationSet.rows, scores),
    ...(rates === undefined ? {} : { rates }),
    repeatedKeys,
  };
}

/** At most SCORED_DAY_ROWS rows of a day, at equal distances. */
function chosenRows({ rows, ranges }: DayRows): Int32Array {
  const count = Math.min(rows, SCORED_DAY_ROWS);
  const chosen = new Int32Array(count);
  let range = 0;
  /** Rows of the day before the range. */
  let before = 0;
  for (let i = 0; i < count; i++) {
    const ofDay = Math.floor((i * rows) / count);
    for (; ofDay - before >= ranges[range]!.end - ranges[range]!.start; range++) {
      before += ranges[range]!.end - ranges[range]!.start;
    }
    chosen[i] = ranges[range]!.start + ofDay - before;
  }
  return chosen;
}

/** Shares of positive labels among those that are known; undefined where none is. */
function referenceRates(set: TrainingSet): ModelReference['rates'] {
  if (set.click.every((click) => click === UNKNOWN_CLICK)) return undefined;
  return perTask((task) => {
    const rows = rowsOfTask(set, task);
    // Soft labels are summed in whole units too, so that the order of the rows can't change the sum.
    const units = rows.reduce((sum, row) => sum + Math.round(set[task][row]! / SCORE_UNIT), 0);
    return rows.length === 0 ? 0 : (units * SCORE_UNIT) / rows.length;
  });
}
