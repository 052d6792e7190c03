import { type GatheredInput, type GatherPlan, inputWidth } from '../bundle/gatherPlan.ts';
import { valueInfoOf } from '../onnx/modelProto.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnxSchema.ts';
import { withoutUnused } from './withoutUnused.ts';

/** A `GatheredModel` whose graph is decoded. */
interface DecodedModel {
  readonly model: ModelProto;
  readonly inputs: GatherPlan;
}

/**
 * The same model with inputs of their own for the numeric columns and the products that are gathered behind embeddings. Numbers
 * reach ten times as far as embeddings, and products less far: on one grid with numbers, embeddings would be left with a few of the
 * 256 integers. An input that is read otherwise than by layers stays as it is.
 */
export function separateKinds({ model, inputs }: DecodedModel): DecodedModel {
  let { graph } = model;
  const separated = inputs.flatMap((input) => {
    const kinds = kindsOf(input);
    const changed = kinds.length < 2 ? undefined : separate(graph, input, kinds);
    if (changed === undefined) return [input];
    graph = changed;
    return kinds;
  });
  return { model: { ...model, graph: withoutUnused(graph) }, inputs: separated };
}

/** Inputs for what an input holds, in the order of its columns. The first one keeps its name, which products may refer to. */
function kindsOf(input: GatheredInput): GatheredInput[] {
  const { name, blocks, columns, products, layers } = input;
  if (layers !== undefined) return [input];
  return [
    ...(blocks.length === 0 ? [] : [{ name, blocks, columns: [] }]),
    ...(columns.length === 0 ? [] : [{ name: `${name}.numbers`, blocks: [], columns }]),
    ...(products === undefined ? [] : [{ name: `${name}.products`, blocks: [], columns: [], products }]),
  ];
}

/** @returns undefined when something else than layers reads the input */
function separate(
  graph: GraphProto,
  input: GatheredInput,
  kinds: readonly GatheredInput[],
): GraphProto | undefined {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const added: TensorProto[] = [];
  const node: NodeProto[] = [];
  for (const each of graph.node) {
    const weight = constants.get(each.input[1] ?? '');
    if (!each.input.includes(input.name)) node.push(each);
    else if (each.opType === 'Gemm' && weight?.dims[0] === inputWidth(input)) {
      const parts = layerOfKinds(each, weight, kinds);
      added.push(...parts.weights);
      node.push(...parts.nodes);
    } else return undefined;
  }
  return {
    ...graph,
    node,
    initializer: [...graph.initializer, ...added],
    input: graph.input.flatMap((each) =>
      each.name !== input.name
        ? [each]
        : kinds.map((kind) =>
            valueInfoOf({ name: kind.name, elementType: 'float32', shape: ['B', inputWidth(kind)] }),
          ),
    ),
  };
}

/** A product for each kind, each added to the one behind it; the last one is added to the bias. */
function layerOfKinds(layer: NodeProto, weight: TensorProto, kinds: readonly GatheredInput[]) {
  const [, units] = weight.dims as [number, number];
  const [output] = layer.output as [string];
  let end = weight.dims[0]!;
  let sum = layer.input[2]!;
  const weights: TensorProto[] = [];
  const nodes = kinds.toReversed().map((kind): NodeProto => {
    const rows = inputWidth(kind);
    end -= rows;
    const rawData = weight.rawData.subarray(4 * end * units, 4 * (end + rows) * units);
    const ofKind = { ...weight, name: `${output}.${kind.name}.weight`, dims: [rows, units], rawData };
    weights.push(ofKind);
    const name = end === 0 ? output : `${output}.${kind.name}`;
    const node = { ...layer, name, output: [name], input: [kind.name, ofKind.name, sum] };
    sum = name;
    return node;
  });
  return { weights, nodes };
}
