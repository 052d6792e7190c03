import { ProblemsError } from '../errors.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ValueInfo } from '../onnx/modelMessages.ts';
import { decodeModel, operatorsOf } from '../onnx/modelProto.ts';
import { modelInputs, modelOutputs, type TensorSpec } from './modelInterface.ts';

/**
 * Checks that a model file takes the contract's encoded batch, gives the three scores with a dynamic batch, and
 * needs nothing but standard operators.
 * @throws ModelError GRAPH_UNREADABLE for bytes that are no ONNX model; ProblemsError BUNDLE_INTERFACE with all differences
 */
export function checkModelInterface(modelBytes: Uint8Array, layout: FeatureLayout, uri: string): void {
  const { graph } = decodeModel(modelBytes);
  const problems = [
    ...compare('input', modelInputs(layout), graph.inputs),
    ...compare('output', modelOutputs(), graph.outputs),
    ...operatorsOf(graph)
      .filter(({ domain }) => domain !== '' && domain !== 'ai.onnx')
      .map(({ domain, opType }) => `operator ${domain}.${opType}: not a standard ONNX operator`),
    ...graph.initializers
      .filter((tensor) => tensor.external)
      .map((tensor) => `tensor ${tensor.name}: its data lies in another file`),
  ];
  if (problems.length > 0) {
    throw new ProblemsError('BUNDLE_INTERFACE', "the model doesn't fit the bundle's contract", problems, {
      file: uri,
    });
  }
}

function compare(kind: string, expected: readonly TensorSpec[], found: readonly ValueInfo[]): string[] {
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
