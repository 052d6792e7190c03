import { ProblemsError } from '../base/errors.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import {
  decodeModel,
  externalTensorsOf,
  operatorsOf,
  type TensorInfo,
  tensorInfoOf,
} from '../onnx/modelProto.ts';
import type { GraphProto, ModelProto } from '../onnx/onnxSchema.ts';
import { GATHERED_KEY, gatheredDigest, inputProblems, isDirectPlan } from './gatherPlan.ts';
import { modelOutputs, OWN_OUTPUTS, plannedInputs, type TensorSpec } from './modelInterface.ts';
import { SCORING_BATCH_ROWS, type ScoringModel } from './scoringSession.ts';

export type EmbeddingDigests = Readonly<Record<string, string>>;

/** Largest accepted difference of a golden row's score: machines differ in the last bits of float32. */
export const GOLDEN_TOLERANCE = 1e-5;
/**
 * The same for a model that computes in integers: on another machine, a value in the middle between two integers may become the
 * other one. That is rare and moves a score by up to .001; a machine that computes integers wrongly moves it by .1.
 */
const INTEGER_GOLDEN_TOLERANCE = 2e-3;
/** Standard operators with a graph inside, which may be run for ever. Without them, every run of a model ends. */
const CONTROL_FLOW: ReadonlySet<string> = new Set(['If', 'Loop', 'Scan', 'SequenceMap']);
/** Standard operators that give other results in every run. */
const RANDOM: ReadonlySet<string> = new Set([
  ...['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'],
]);

/**
 * Checks that a model file takes what its bundle makes of the contract's encoded batch, with the very embeddings that it was made
 * for, gives the scores with a dynamic batch, and needs nothing but standard operators. An own model may have the batch of a
 * scoring session instead.
 * @returns largest accepted difference of its golden rows' scores
 * @throws Ncs4cvrError GRAPH_UNREADABLE for bytes that are no ONNX model; ProblemsError BUNDLE_INTERFACE with all differences
 */
export function checkModelInterface(
  { modelBytes, inputs, tables }: ScoringModel,
  embeddings: EmbeddingDigests,
  layout: FeatureLayout,
  uri: string,
): number {
  const model = decodeModel(modelBytes);
  const { graph, metadataProps = [] } = model;
  const isOwn = isDirectPlan(inputs);
  const gathered = gatheredDigest(inputs, embeddings, layout);
  const problems = [
    ...inputProblems(inputs, layout, tables[0]?.width ?? 0),
    ...(isOwn
      ? compare('input', plannedInputs(inputs, layout), ownInputs(graph), fitsOwnShape)
      : compare('input', plannedInputs(inputs, layout), graph.input.map(tensorInfoOf), isSameShape)),
    ...(metadataProps.some(({ key, value }) => key === GATHERED_KEY && value === gathered)
      ? []
      : [`inputs: the model was made for another contract, other embeddings or inputs (${GATHERED_KEY})`]),
    ...(isOwn
      ? ownOutputProblems(graph)
      : compare('output', modelOutputs(), graph.output.map(tensorInfoOf), isSameShape)),
    ...graphProblems(model),
  ];
  if (problems.length > 0) {
    throw new ProblemsError('BUNDLE_INTERFACE', "the model doesn't fit the bundle's contract", problems, {
      file: uri,
    });
  }
  const isInteger = operatorsOf(graph).some(({ opType }) => opType === 'QuantizeLinear');
  return isInteger ? INTEGER_GOLDEN_TOLERANCE : GOLDEN_TOLERANCE;
}

/** What a model has beyond standard operators that always end and give the same, and constants of its own; one line each. */
export function graphProblems({ graph, functions = [] }: ModelProto): string[] {
  const operators = operatorsOf(graph);
  return [
    ...operators
      .filter(({ domain }) => domain !== '' && domain !== 'ai.onnx')
      .map(
        ({ domain, opType }) =>
          `operator ${domain}.${opType}: not a standard ONNX operator${adviceOn(domain)}`,
      ),
    ...operators
      .filter(({ opType }) => CONTROL_FLOW.has(opType))
      .map(({ opType }) => `operator ${opType}: a graph within the graph, which may never end`),
    ...operators
      .filter(({ opType }) => RANDOM.has(opType))
      .map(({ opType }) => `operator ${opType}: other results in every run`),
    ...(functions.length === 0
      ? []
      : [`${functions.length} functions of the model's own: not standard ONNX operators`]),
    ...externalTensorsOf(graph).map((name) => `tensor ${name}: its data lies in another file`),
    ...(graph.sparseInitializer?.length ? ['sparse tensors: not read'] : []),
  ];
}

/** What to do about trees and other models of scikit-learn (docs/decisions/0015-own-models.md). */
function adviceOn(domain: string): string {
  return domain === 'ai.onnx.ml'
    ? ' (trees and the like are not run here: convert the model to tensor operators, or score it elsewhere)'
    : '';
}

/** What of an own model's outputs can't be scores, one line each. Producers often leave their shapes open. */
export function ownOutputProblems({ output }: GraphProto): string[] {
  return OWN_OUTPUTS.flatMap((name) => {
    const info = output.find((each) => each.name === name);
    const expected = `output ${name}: expected float32 [B] or [B, 1]`;
    if (info === undefined) {
      return [`${expected}, found ${output.map((each) => `'${each.name}'`).join(', ') || 'no output'}`];
    }
    const found = tensorInfoOf(info);
    const { elementType, shape } = found;
    const isOfOne = shape.length < 2 || (shape.length === 2 && (shape[1] === 1 || isOpen(shape[1]!)));
    return elementType === 'float32' && isOfOne ? [] : [`${expected}, found ${describeTensor(found)}`];
  });
}

/** Whether the batch dimension of an own model's input takes what a session runs: any number of rows, or just so many. */
export function isBatch(size: number | string | undefined): boolean {
  return size === SCORING_BATCH_ROWS || (size !== undefined && isOpen(size));
}

/** Such as `float32 [B, 4]`. */
export function describeTensor({ elementType, shape }: Pick<TensorInfo, 'elementType' | 'shape'>): string {
  return `${elementType} [${shape.join(', ')}]`;
}

function isOpen(size: number | string): boolean {
  return typeof size === 'string';
}

type ShapeTest = (expected: TensorSpec['shape'], found: TensorInfo['shape']) => boolean;

const isSameShape: ShapeTest = (expected, found) =>
  found.length === expected.length &&
  expected.every((size, axis) => (size === null ? isOpen(found[axis]!) : found[axis] === size));

const fitsOwnShape: ShapeTest = (expected, found) =>
  found.length === expected.length &&
  isBatch(found[0]) &&
  expected.every((size, axis) => size === null || found[axis] === size || isOpen(found[axis]!));

/** What an own model is to be given: before IR version 4, constants were among the inputs too. */
export function ownInputs({ input, initializer }: GraphProto): TensorInfo[] {
  const constants = new Set(initializer.map(({ name }) => name));
  return input.filter(({ name }) => !constants.has(name)).map(tensorInfoOf);
}

function compare(
  kind: string,
  expected: readonly TensorSpec[],
  found: readonly TensorInfo[],
  fits: ShapeTest,
): string[] {
  const problems: string[] = [];
  for (const spec of expected) {
    const tensor = found.find(({ name }) => name === spec.name);
    const wanted = `${spec.elementType} [${spec.shape.map((size) => size ?? 'B').join(', ')}]`;
    if (tensor === undefined) problems.push(`${kind} ${spec.name}: expected ${wanted}, found none`);
    else if (tensor.elementType !== spec.elementType || !fits(spec.shape, tensor.shape)) {
      problems.push(`${kind} ${spec.name}: expected ${wanted}, found ${describeTensor(tensor)}`);
    }
  }
  for (const { name } of found) {
    if (!expected.some((spec) => spec.name === name)) problems.push(`${kind} ${name}: not expected`);
  }
  return problems;
}
