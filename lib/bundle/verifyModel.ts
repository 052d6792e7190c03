import { type RecordBatch, type Table, tableFromIPC } from 'apache-arrow';
import { messageOf, Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { type FeatureLayout, featureLayout } from '../features/featureLayout.ts';
import type { FittedContract } from '../features/fitContract.ts';
import { checkArrowData } from './checkArrowData.ts';
import { checkModelInterface, type EmbeddingDigests, GOLDEN_TOLERANCE } from './checkModelInterface.ts';
import { SCORING_BATCH_ROWS, type Scores, type ScoringModel, ScoringSession } from './scoringSession.ts';
import { TimeIsOverError, TimeLimit } from './timeLimit.ts';

/** For reading, encoding and comparing the golden rows, which takes milliseconds; the model's own time isn't counted. */
const VERIFICATION_MILLIS = 5000;
/**
 * Re-scores the raw golden rows that the bundle carries, through the same encoder as production.
 * @param goldenBytes Arrow IPC: the contract's columns, then pctr, pcvr, pctcvr as the trainer scored them; underscores
 * come before a name that a column of the contract has, for apache-arrow mixes up columns of one name
 * @param limitMillis that reading, encoding and comparing the rows may take
 * @param tolerance largest accepted difference of a score
 * @throws Ncs4cvrError BUNDLE_GOLDEN_MISMATCH, BUNDLE_GOLDEN_INVALID, BUNDLE_VERIFICATION_TIMEOUT
 * @internal exported for tests: with a session of known scores they check the comparison itself
 */
export async function checkGoldenRows(
  goldenBytes: Uint8Array,
  { contract, vocabularies }: FittedContract,
  session: ScoringSession,
  uri: string,
  limitMillis = VERIFICATION_MILLIS,
  tolerance = GOLDEN_TOLERANCE,
): Promise<void> {
  const encoder = new FeatureEncoder(contract, vocabularies);
  const limit = new TimeLimit(limitMillis);
  const problems: string[] = [];
  try {
    const golden = limit.run(() => readGoldenRows(goldenBytes));
    for (const batch of golden.batches) {
      problems.push(...(await mismatches(batch, encoder, session, limit, tolerance)));
    }
  } catch (cause) {
    if (cause instanceof TimeIsOverError) throw outOfTime(uri, limitMillis);
    throw unusable(uri, messageOf(cause), cause);
  }
  if (problems.length === 0) return;
  throw new ProblemsError(
    'BUNDLE_GOLDEN_MISMATCH',
    'the model scores its golden rows differently here than where it was trained',
    problems.slice(0, 10),
    { file: uri, expected: `differences up to ${tolerance}`, found: `${problems.length} larger ones` },
  );
}

/** @throws Error that says what is wrong with them */
function readGoldenRows(goldenBytes: Uint8Array): Table {
  const golden = tableFromIPC(goldenBytes);
  const found = golden.schema.names.slice(-SCORE_NAMES.length).map(String);
  const missing = SCORE_NAMES.filter((name, index) => found[index]?.replace(/^_+/, '') !== name);
  if (golden.numRows === 0) throw new Error('no rows');
  if (missing.length > 0) throw new Error(`no column ${missing.join(', ')}`);
  for (const { name, type } of golden.schema.fields.slice(-SCORE_NAMES.length)) {
    if (String(type) !== 'Float32') throw new Error(`${String(name)}: ${type}, no Float32`);
  }
  for (const { data, schema } of golden.batches) {
    for (const [index, child] of data.children.entries()) {
      if (child.length !== data.length)
        throw new Error(`${String(schema.names[index])}: ${child.length} rows`);
      checkArrowData(child, String(schema.names[index]));
    }
  }
  return golden;
}

function outOfTime(file: string, limitMillis: number): Ncs4cvrError {
  return new Ncs4cvrError('BUNDLE_VERIFICATION_TIMEOUT', 'the golden rows take too long; they are damaged', {
    file,
    expected: `at most ${limitMillis} ms`,
    found: 'more',
  });
}

function unusable(file: string, found: string, cause?: unknown): Ncs4cvrError {
  return new Ncs4cvrError('BUNDLE_GOLDEN_INVALID', 'the golden rows are unusable', {
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
  limit: TimeLimit,
  tolerance: number,
): Promise<string[]> {
  const problems: string[] = [];
  const scoresAt = batch.numCols - SCORE_NAMES.length;
  const raw = batch.selectAt([...Array(scoresAt).keys()]);
  for (let start = 0; start < batch.numRows; start += SCORING_BATCH_ROWS) {
    const end = Math.min(batch.numRows, start + SCORING_BATCH_ROWS);
    limit.run(() => encoder.encode(raw, start, end, session.rows, 0));
    const scores: Scores = await session.score(end - start);
    for (const [index, name] of SCORE_NAMES.entries()) {
      const expected = batch.getChildAt(scoresAt + index)!;
      for (let row = start; row < end; row++) {
        const found = scores[name][row - start]!;
        const wanted = expected.get(row) as number;
        if (Math.abs(found - wanted) <= tolerance) continue;
        problems.push(`row ${row}, ${name}: expected ${wanted}, found ${found}`);
      }
    }
  }
  return problems;
}

/** @throws Ncs4cvrError BUNDLE_INTERFACE, GRAPH_UNREADABLE, GRAPH_INVALID, each with the bundle */
async function openModel(
  model: ScoringModel,
  embeddings: EmbeddingDigests,
  layout: FeatureLayout,
  uri: string,
): Promise<{ readonly session: ScoringSession; readonly tolerance: number }> {
  try {
    const tolerance = checkModelInterface(model, embeddings, layout, uri);
    return { session: await ScoringSession.create(model, layout), tolerance };
  } catch (error) {
    if (!(error instanceof Ncs4cvrError) || error.location.file !== undefined) throw error;
    const { code, found } = error;
    throw new Ncs4cvrError(code, "the bundle's model can't be used", {
      file: uri,
      ...(found === undefined ? {} : { found }),
      cause: error,
    });
  }
}

/**
 * Checks a model as scoring will use it: inputs, outputs and operators, then the scores of its golden rows.
 * @param embeddings sha256 of the tables' files, by their paths
 * @param uri of the bundle, for errors
 * @throws Ncs4cvrError BUNDLE_INTERFACE, GRAPH_UNREADABLE, GRAPH_INVALID, and as checkGoldenRows
 */
export async function verifyModel(
  model: ScoringModel,
  embeddings: EmbeddingDigests,
  goldenBytes: Uint8Array,
  fitted: FittedContract,
  uri: string,
): Promise<void> {
  const layout = featureLayout(fitted.contract);
  const { session, tolerance } = await openModel(model, embeddings, layout, uri);
  try {
    await checkGoldenRows(goldenBytes, fitted, session, uri, VERIFICATION_MILLIS, tolerance);
  } finally {
    await session.release();
  }
}
