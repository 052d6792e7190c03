import { copyEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import { SCORING_BATCH_ROWS, type ScoringSession } from './scoringSession.ts';

/** Changes some of the rows that are about to be scored. @param at place of their first one among all rows */
export type ChangeRows = (rows: EncodedRows, at: number, count: number) => void;

/** Scores of the first `rowCount` encoded rows, as scoring gives them. */
export async function scoreEncodedRows(
  session: ScoringSession,
  layout: FeatureLayout,
  rows: EncodedRows,
  rowCount: number,
  change: ChangeRows = () => {},
): Promise<TaskScores> {
  const scores = { pctr: new Float32Array(rowCount), pcvr: new Float32Array(rowCount) };
  for (let at = 0; at < rowCount; at += SCORING_BATCH_ROWS) {
    const count = Math.min(SCORING_BATCH_ROWS, rowCount - at);
    copyEncodedRows(layout, rows, at, at + count, session.rows);
    change(session.rows, at, count);
    const { pctr, pcvr } = await session.score(count);
    scores.pctr.set(pctr, at);
    scores.pcvr.set(pcvr, at);
  }
  return scores;
}
