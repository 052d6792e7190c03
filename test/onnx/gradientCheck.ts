import { gradients } from '../../lib/onnx/gradients.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import type { Value } from '../../lib/onnx/opDefinition.ts';
import { sum } from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor, int64Tensor } from '../../lib/onnx/session.ts';

/** A small tensor in double precision, row-major. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export interface CheckCase {
  /** Inputs whose gradient is checked. `dimensions` names the run-time ones: ['B', 3] for a shape of [2, 3]. */
  readonly inputs: readonly (Tensor & { readonly dimensions?: readonly (string | number)[] })[];
  /** Further int64 [1] feeds, such as the row count of takeRows. */
  readonly counts?: Readonly<Record<string, number>>;
  build(graph: GraphBuilder, inputs: readonly Value[]): Value;
}

export interface CheckResult {
  readonly forward: Tensor;
  /** Per input: the gradient of sum(r * output), where r are fixed numbers of about 1. */
  readonly analytic: readonly Float32Array[];
  readonly numeric: readonly number[][];
}

/**
 * Central differences with step 1e-2 on float32 runs: rounding costs about 1e-7 / 1e-2 = 1e-5 of the value, the cut-off of
 * the series about 1e-4 of the third derivative. Weighting by r and adding up happens in double precision, out of
 * the graph.
 */
const step = 1e-2;

export async function checkGradient(check: CheckCase): Promise<CheckResult> {
  const { graph, inputs, output } = build(check);
  const weights = graph.input('r', output.shape);
  const loss = sum(graph, graph.apply('multiply', [output, weights], {}));
  const found = gradients(graph, loss, inputs);
  graph.output('forward', output);
  for (const [index, input] of inputs.entries()) graph.output(`gradient${index}`, found.get(input)!);
  const session = await createSession(graph.build());
  const forwardOnly = await forwardSession(check);

  const feed = (data: readonly (readonly number[])[]) =>
    Object.fromEntries([
      ...check.inputs.map(({ shape }, i) => [`x${i}`, float32Tensor(Float32Array.from(data[i]!), shape)]),
      ...Object.entries(check.counts ?? {}).map(([name, count]) => [name, int64Tensor([count])]),
    ]);
  const point = check.inputs.map(({ data }) => data);
  const first = (await forwardOnly.run(feed(point))).forward!;
  const r = float32Data({ first }, 'first').map((_, i) => 1 + 0.3 * Math.sin(3 * i + 1));
  const results = await session.run({ ...feed(point), r: float32Tensor(r, first.dims) });

  const lossAt = async (data: readonly (readonly number[])[]): Promise<number> =>
    float32Data(await forwardOnly.run(feed(data)), 'forward').reduce((total, y, i) => total + y * r[i]!, 0);
  const numeric: number[][] = [];
  for (const [index, input] of check.inputs.entries()) {
    const ofInput: number[] = [];
    for (const position of input.data.keys()) {
      const moved = (by: number) =>
        point.map((data, i) => (i === index ? data.map((x, j) => (j === position ? x + by : x)) : data));
      ofInput.push(((await lossAt(moved(step))) - (await lossAt(moved(-step)))) / (2 * step));
    }
    numeric.push(ofInput);
  }
  const analytic = inputs.map((_, index) => float32Data(results, `gradient${index}`));
  const gradientShapes = inputs.map((_, index) => results[`gradient${index}`]!.dims.join());
  await Promise.all([session.release(), forwardOnly.release()]);
  const wrongShape = gradientShapes.findIndex((shape, i) => shape !== check.inputs[i]!.shape.join());
  if (wrongShape >= 0) {
    throw new Error(`gradient ${wrongShape} has shape [${gradientShapes[wrongShape]}]`);
  }
  return { forward: { shape: first.dims, data: [...float32Data({ first }, 'first')] }, analytic, numeric };
}

/** Runs the forward pass only. */
export async function runForward(check: CheckCase): Promise<Tensor> {
  const session = await forwardSession(check);
  const { forward } = await session.run(
    Object.fromEntries(
      check.inputs.map(({ shape, data }, i) => [`x${i}`, float32Tensor(Float32Array.from(data), shape)]),
    ),
  );
  await session.release();
  return { shape: forward!.dims, data: [...float32Data({ forward: forward! }, 'forward')] };
}

/** Largest |a - b| / max(1, |b|). */
export function largestError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    // A NaN must not pass as "not larger".
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return largest;
}

function build(check: CheckCase): { graph: GraphBuilder; inputs: Value[]; output: Value } {
  const graph = new GraphBuilder();
  const inputs = check.inputs.map(({ shape, dimensions }, i) =>
    graph.input(`x${i}`, dimensions ?? shape, { requiresGradient: true }),
  );
  return { graph, inputs, output: check.build(graph, inputs) };
}

async function forwardSession(check: CheckCase) {
  const { graph, output } = build(check);
  graph.output('forward', output);
  return createSession(graph.build());
}
