import { type RecordBatch, type Table, tableFromIPC } from 'apache-arrow';
import { ContractError, messageOf, Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { FeatureContract } from '../features/contract.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { type FeatureLayout, featureLayout } from '../features/featureLayout.ts';
import { decodeModel, operatorsOf, type TensorInfo, tensorInfoOf } from '../onnx/modelProto.ts';
import { modelInputs, modelOutputs, type TensorSpec } from './modelInterface.ts';
import { SCORING_BATCH_ROWS, type Scores, ScoringSession } from './scoringSession.ts';

/** Largest accepted difference of a golden row's score: machines differ in the last bits of float32. */
const GOLDEN_TOLERANCE = 1e-5;

/**
 * Re-scores the raw golden rows that the bundle carries, through the same encoder as production.
 * @param goldenBytes Arrow IPC: the contract's columns, then pctr, pcvr, pctcvr as the trainer scored them; underscores
 * come before a name that a column of the contract has, for apache-arrow mixes up columns of one name
 * @throws Ncs4cvrError BUNDLE_GOLDEN_MISMATCH, BUNDLE_GOLDEN_INVALID
 * @internal exported for tests: with a session of known scores they check the comparison itself
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

/**
 * Checks that a model file takes the contract's encoded batch, gives the three scores with a dynamic batch, and
 * needs nothing but standard operators.
 * @throws Ncs4cvrError GRAPH_UNREADABLE for bytes that are no ONNX model; ProblemsError BUNDLE_INTERFACE with all differences
 */
function checkModelInterface(modelBytes: Uint8Array, layout: FeatureLayout, uri: string): void {
  const { graph } = decodeModel(modelBytes);
  const problems = [
    ...compare('input', modelInputs(layout), graph.input.map(tensorInfoOf)),
    ...compare('output', modelOutputs(), graph.output.map(tensorInfoOf)),
    ...operatorsOf(graph)
      .filter(({ domain }) => domain !== '' && domain !== 'ai.onnx')
      .map(({ domain, opType }) => `operator ${domain}.${opType}: not a standard ONNX operator`),
    ...graph.initializer
      .filter(({ dataLocation }) => dataLocation !== 0)
      .map(({ name }) => `tensor ${name}: its data lies in another file`),
  ];
  if (problems.length > 0) {
    throw new ProblemsError('BUNDLE_INTERFACE', "the model doesn't fit the bundle's contract", problems, {
      file: uri,
    });
  }
}

function compare(kind: string, expected: readonly TensorSpec[], found: readonly TensorInfo[]): string[] {
  const problems: string[] = [];
  for (const spec of expected) {
    const tensor = found.find(({ name }) => name === spec.name);
    const wanted = `${spec.elementType} ${describeShape(spec.shape)}`;
    if (tensor === undefined) {
      problems.push(`${kind} ${spec.name}: expected ${wanted}, found none`);
      continue;
    }
    const isSame =
      tensor.elementType === spec.elementType &&
      tensor.shape.length === spec.shape.length &&
      spec.shape.every((size, axis) =>
        size === null ? typeof tensor.shape[axis] === 'string' : tensor.shape[axis] === size,
      );
    if (!isSame) {
      const actual = `${tensor.elementType} [${tensor.shape.join(', ')}]`;
      problems.push(`${kind} ${spec.name}: expected ${wanted}, found ${actual}`);
    }
  }
  for (const { name } of found) {
    if (!expected.some((spec) => spec.name === name)) problems.push(`${kind} ${name}: not expected`);
  }
  return problems;
}

function describeShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? 'B').join(', ')}]`;
}

/**
 * Checks a model as scoring will use it: inputs, outputs and operators, then the scores of its golden rows.
 * @param uri of the bundle, for errors
 * @throws Ncs4cvrError BUNDLE_INTERFACE, BUNDLE_GOLDEN_MISMATCH
 */
export async function verifyModel(
  modelBytes: Uint8Array,
  goldenBytes: Uint8Array,
  contract: FeatureContract,
  uri: string,
): Promise<void> {
  const layout = featureLayout(contract);
  checkModelInterface(modelBytes, layout, uri);
  const session = await ScoringSession.create(modelBytes, layout);
  try {
    await checkGoldenRows(goldenBytes, contract, session, uri);
  } finally {
    await session.release();
  }
}
