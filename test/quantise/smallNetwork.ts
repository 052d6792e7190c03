import { RandomStream } from '../../lib/base/randomStream.ts';
import { GraphBuilder, type Value } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel, encodeModel } from '../../lib/onnx/modelProto.ts';
import type { ModelProto } from '../../lib/onnx/onnxSchema.ts';
import { add, concat, matmul, relu, sigmoid } from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor } from '../../lib/onnx/session.ts';
import type { Activation } from '../../lib/quantise/activationGrid.ts';
import { findDenseLayers } from '../../lib/quantise/denseLayers.ts';
import { observedName, observeTensors } from '../../lib/quantise/observeActivations.ts';
import { quantiseGraph } from '../../lib/quantise/quantiseGraph.ts';

export const INPUTS = { crossed: 24, raw: 40, dense: 4 } as const;
type InputName = keyof typeof INPUTS;
export type Feeds = Readonly<Record<InputName, Float32Array>>;

/** Two hidden layers (64, 32) and a head on three joined inputs, with random weights. */
export function smallNetwork(
  seed: number,
  change?: (name: string, weights: Float32Array) => void,
): ModelProto {
  const random = new RandomStream(seed);
  const graph = new GraphBuilder();
  const parameters = new Map<string, Float32Array>();
  const parameter = (name: string, rows: number, columns: number): Value => {
    const weights = Float32Array.from(
      { length: rows * columns },
      () => random.nextNormal() / Math.sqrt(rows),
    );
    change?.(name, weights);
    parameters.set(name, weights);
    return graph.parameter(name, rows === 1 ? [columns] : [rows, columns]);
  };
  const inputs = Object.entries(INPUTS).map(([name, width]) => graph.input(name, ['B', width]));
  const width = Object.values(INPUTS).reduce((sum, each) => sum + each, 0);
  let hidden = concat(graph, inputs, 1);
  for (const [layer, [rows, columns]] of [
    [width, 64],
    [64, 32],
  ].entries() as Iterable<[number, [number, number]]>) {
    const product = matmul(graph, hidden, parameter(`weight${layer}`, rows, columns));
    hidden = relu(graph, add(graph, product, parameter(`bias${layer}`, 1, columns)));
  }
  graph.output('score', sigmoid(graph, matmul(graph, hidden, parameter('head', 32, 1))));
  return decodeModel(graph.build({ parameters }));
}

/** Crossed values are small, raw ones within 1, dense ones large. */
export function randomFeeds(seed: number, rowCount: number): Feeds {
  const random = new RandomStream(seed);
  const scales: Record<InputName, number> = { crossed: 0.05, raw: 0.5, dense: 3 };
  const feed = (name: InputName) =>
    Float32Array.from({ length: rowCount * INPUTS[name] }, () => scales[name] * random.nextNormal());
  return { crossed: feed('crossed'), raw: feed('raw'), dense: feed('dense') };
}

/** Values of tensors of a model; by default its score. */
export async function run(
  model: ModelProto,
  feeds: Feeds,
  names: readonly string[] = ['score'],
): Promise<Map<string, Float32Array>> {
  const session = await createSession(encodeModel(model));
  const rowCount = feeds.dense.length / INPUTS.dense;
  const results = await session.run(
    Object.fromEntries(
      Object.entries(feeds).map(([name, data]) => [
        name,
        float32Tensor(data, [rowCount, data.length / rowCount]),
      ]),
    ),
  );
  const values = new Map(names.map((name) => [name, float32Data(results, name).slice()]));
  await session.release();
  return values;
}

export async function scoresOf(model: ModelProto, feeds: Feeds): Promise<Float32Array> {
  return (await run(model, feeds)).get('score')!;
}

/** The model in integers, calibrated on the rows given. */
export async function quantised(model: ModelProto, feeds: Feeds): Promise<ModelProto> {
  const layers = findDenseLayers(model.graph);
  const tensors = [...new Set(layers.flatMap(({ groups }) => groups))];
  const values = await run(observeTensors(model, tensors), feeds, tensors.map(observedName));
  const rowCount = feeds.dense.length / INPUTS.dense;
  const activations = tensors.map((name): [string, Activation] => {
    const observed = values.get(observedName(name))!;
    return [name, { columnCount: observed.length / rowCount, values: observed }];
  });
  return quantiseGraph(model, layers, new Map(activations));
}
