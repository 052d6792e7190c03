import { type RecordBatch, type Table, tableFromIPC } from 'apache-arrow';
import { ContractError, ModelError, messageOf, ProblemsError } from '../errors.ts';
import type { FeatureContract } from '../features/contract.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { SCORE_NAMES } from '../scoreNames.ts';
import { SCORING_BATCH_ROWS, type Scores, type ScoringSession } from './scoringSession.ts';

/** Largest accepted difference of a golden row's score: machines differ in the last bits of float32. */
export const GOLDEN_TOLERANCE = 1e-5;

/**
 * Re-scores the raw golden rows that the bundle carries, through the same encoder as production.
 * @param goldenBytes Arrow IPC: the contract's columns, then pctr, pcvr, pctcvr as the trainer scored them; underscores
 * come before a name that a column of the contract has, for apache-arrow mixes up columns of one name
 * @throws ModelError BUNDLE_GOLDEN_MISMATCH, BUNDLE_GOLDEN_INVALID
 */
export async function checkGoldenRows(
  goldenBytes: Uint8Array,
  contract: FeatureContract,
  session: ScoringSession,
  uri: string,
): Promise<void> {
  let golden: Table;
  try {
    golden = tableFromIPC(goldenBytes);
  } catch (cause) {
    throw unusable(uri, messageOf(cause), cause);
  }
  const found = golden.schema.names.slice(-SCORE_NAMES.length).map(String);
  const missing = SCORE_NAMES.filter((name, index) => found[index]?.replace(/^_+/, '') !== name);
  if (golden.numRows === 0) throw unusable(uri, 'no rows');
  if (missing.length > 0) throw unusable(uri, `no column ${missing.join(', ')}`);
  const encoder = new FeatureEncoder(contract);
  const problems: string[] = [];
  try {
    for (const batch of golden.batches) problems.push(...(await mismatches(batch, encoder, session)));
  } catch (cause) {
    if (cause instanceof ContractError) throw unusable(uri, cause.message, cause);
    throw cause;
  }
  if (problems.length === 0) return;
  throw new ProblemsError(
    'BUNDLE_GOLDEN_MISMATCH',
    'the model scores its golden rows differently here than where it was trained',
    problems.slice(0, 10),
    { file: uri, expected: `differences up to ${GOLDEN_TOLERANCE}`, found: `${problems.length} larger ones` },
  );
}

function unusable(file: string, found: string, cause?: unknown): ModelError {
  return new ModelError('BUNDLE_GOLDEN_INVALID', 'the golden rows are unusable', {
    file,
    expected: `rows with the contract's columns and ${SCORE_NAMES.join(', ')}`,
    found,
    cause,
  });
}

async function mismatches(
  batch: RecordBatch,
  encoder: FeatureEncoder,
  session: ScoringSession,
): Promise<string[]> {
  const problems: string[] = [];
  const scoresAt = batch.numCols - SCORE_NAMES.length;
  const raw = batch.selectAt([...Array(scoresAt).keys()]);
  for (let start = 0; start < batch.numRows; start += SCORING_BATCH_ROWS) {
    const end = Math.min(batch.numRows, start + SCORING_BATCH_ROWS);
    encoder.encode(raw, start, end, session.rows, 0);
    const scores: Scores = await session.score(end - start);
    for (const [index, name] of SCORE_NAMES.entries()) {
      const expected = batch.getChildAt(scoresAt + index)!;
      for (let row = start; row < end; row++) {
        const found = scores[name][row - start]!;
        const wanted = expected.get(row) as number;
        if (Math.abs(found - wanted) <= GOLDEN_TOLERANCE) continue;
        problems.push(`row ${row}, ${name}: expected ${wanted}, found ${found}`);
      }
    }
  }
  return problems;
}
