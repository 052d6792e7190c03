import { type PerTask, perTask, type Task } from '../base/tasks.ts';
import { Network, type NetworkParameters } from '../network/network.ts';
import type { ModelWeights } from '../network/networkShape.ts';
import { type NetworkShape, trunkWeightName } from '../network/networkShape.ts';
import { applyMask, type TaskMasks } from '../network/taskMasks.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { concat, gather, multiply, reduceSum, reshape, sigmoid, slice } from '../onnx/ops.ts';
import { DENSE, LIST_ROWS, LIST_WEIGHTS, SINGLE_ROWS } from './modelInterface.ts';

export const EMBEDDINGS = 'embeddings';

/**
 * The whole model as one ONNX file, for others: row ids in (EncodedRows), embedding look-up and list pooling in front of the
 * one network definition, masks folded into the weights (W_t = W * M_t), outputs pctr, pcvr and pctcvr [B]. Where both
 * tasks keep the same connections of a layer, the weight is stored and computed once.
 * @internal exported for tests: what model.onnx and what is gathered for it must equal
 * @throws Ncs4cvrError GRAPH_TOO_LARGE for embeddings that don't fit into one ONNX file
 */
export function buildPlainGraph(
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
): Uint8Array {
  const { layout } = shape;
  const graph = new GraphBuilder();
  const values = new Map(weights.parameters);
  values.set(EMBEDDINGS, weights.embeddings);
  const network = new Network(graph, shape, scoringParameters(graph, shape, weights, masks, values));
  const fields = embedFields(graph, shape);
  const dense = layout.denseWidth === 0 ? undefined : graph.input(DENSE, ['B', layout.denseWidth]);
  const inputs = { fields, dense };
  const probabilities: PerTask<Value> = perTask((task) =>
    reshape(graph, sigmoid(graph, network.logits(task, inputs)), ['B']),
  );
  graph.output('pctr', probabilities.click);
  graph.output('pcvr', probabilities.conversion);
  graph.output('pctcvr', multiply(graph, probabilities.click, probabilities.conversion));
  return graph.build({ parameters: values });
}

function scoringParameters(
  graph: GraphBuilder,
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
  values: Map<string, Float32Array>,
): NetworkParameters {
  const byName = new Map(shape.parameters.map((parameter) => [parameter.name, parameter]));
  const parameters: NetworkParameters = {
    parameter: (name) => graph.parameter(name, byName.get(name)!.shape),
    mask: () => undefined,
  };
  if (masks === undefined) return parameters;
  const folded = (task: Task, layer: number): Value => {
    const name = trunkWeightName(layer);
    const isShared = Buffer.compare(masks.click[layer]!, masks.conversion[layer]!) === 0;
    const ownName = isShared ? name : `${task}.${name}`;
    values.set(ownName, applyMask(weights.parameters.get(name)!, masks[task][layer]!));
    return graph.parameter(ownName, byName.get(name)!.shape);
  };
  return { ...parameters, foldedTrunkWeight: folded };
}

/** [B, F, E] from row ids: single values looked up, lists summed with their weights (a masked mean); undefined without fields. */
export function embedFields(
  graph: GraphBuilder,
  { layout, embeddingWidth }: Pick<NetworkShape, 'layout' | 'embeddingWidth'>,
): Value | undefined {
  if (layout.singles.length + layout.lists.length === 0) return undefined;
  const table = graph.parameter(EMBEDDINGS, [layout.embeddingRowCount, embeddingWidth]);
  const parts: Value[] = [];
  if (layout.singles.length > 0) {
    const ids = graph.input(SINGLE_ROWS, ['B', layout.singles.length], { elementType: 'int32' });
    parts.push(gather(graph, table, ids));
  }
  if (layout.listWidth > 0) {
    const ids = graph.input(LIST_ROWS, ['B', layout.listWidth], { elementType: 'int32' });
    const listWeights = graph.input(LIST_WEIGHTS, ['B', layout.listWidth]);
    const weighted = multiply(
      graph,
      gather(graph, table, ids),
      reshape(graph, listWeights, ['B', layout.listWidth, 1]),
    );
    for (const list of layout.lists) {
      const end = list.position + list.feature.maxLength;
      parts.push(reduceSum(graph, slice(graph, weighted, 1, list.position, end), [1]));
    }
  }
  return parts.length === 1 ? parts[0]! : concat(graph, parts, 1);
}
