import { perTask } from '../base/tasks.ts';
import { multiplyAddsPerRow } from '../network/multiplyAdds.ts';
import { Network } from '../network/network.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { GraphBuilder } from '../onnx/graphBuilder.ts';
import { multiply, reshape, sigmoid } from '../onnx/ops.ts';
import { GATHERED_KEY, type GatheredInput, type GatherPlan, gatheredDigest } from './gatherPlan.ts';
import { addPrunedTrunk, type NetworkInGraph } from './prunedTrunkGraph.ts';

/** model.onnx of a bundle, and what is to be gathered for it. */
export interface ScoringGraph {
  readonly modelBytes: Uint8Array;
  readonly inputs: GatherPlan;
  /** Of the matrix products for both tasks, as trained and as model.onnx computes them. */
  readonly multiplyAddsPerRow: { readonly trained: number; readonly scored: number };
}

/**
 * Builds model.onnx: everything but the embeddings, outputs pctr, pcvr and pctcvr [B]. It differs from the training graph in
 * rounding only. Of an NCS network it computes what a score depends on; other networks have no masks and are taken whole.
 * @param embeddings sha256 of the tables' files, by their paths
 */
export function buildScoringGraph(
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
  embeddings: Readonly<Record<string, string>>,
): ScoringGraph {
  const graph = new GraphBuilder();
  const parameters = new Map(weights.parameters);
  const { inputs, logits, multiplyAdds } =
    shape.config.kind === 'ncs'
      ? addPrunedTrunk(graph, shape, weights, masks, parameters)
      : addWholeNetwork(graph, shape);
  const probabilities = perTask((task) => sigmoid(graph, reshape(graph, logits[task], ['B'])));
  graph.output('pctr', probabilities.click);
  graph.output('pcvr', probabilities.conversion);
  graph.output('pctcvr', multiply(graph, probabilities.click, probabilities.conversion));
  return {
    modelBytes: graph.build({
      parameters,
      metadata: { [GATHERED_KEY]: gatheredDigest(inputs, embeddings, shape.layout) },
    }),
    inputs,
    multiplyAddsPerRow: { trained: multiplyAddsPerRow(shape, masks), scored: multiplyAdds },
  };
}

/** The one network definition behind whole fields. */
function addWholeNetwork(graph: GraphBuilder, shape: NetworkShape): NetworkInGraph {
  const { layout, embeddingWidth, fieldNames } = shape;
  const count = fieldNames.length;
  const fields: GatheredInput = {
    name: 'fields',
    blocks: fieldNames.map((_, field) => ({ field, from: 0, to: embeddingWidth })),
    columns: [],
  };
  const dense: GatheredInput = {
    name: 'dense',
    blocks: [],
    columns: Array.from({ length: layout.denseWidth }, (_, column) => column),
  };
  const inputs = [...(count === 0 ? [] : [fields]), ...(layout.denseWidth === 0 ? [] : [dense])];
  const shapes = new Map(shape.parameters.map((parameter) => [parameter.name, parameter.shape]));
  const network = new Network(graph, shape, {
    parameter: (name) => graph.parameter(name, shapes.get(name)!),
    mask: () => undefined,
  });
  const flat = count === 0 ? undefined : graph.input(fields.name, ['B', count * embeddingWidth]);
  const values = {
    fields: flat && reshape(graph, flat, ['B', count, embeddingWidth]),
    dense: layout.denseWidth === 0 ? undefined : graph.input(dense.name, ['B', layout.denseWidth]),
  };
  return {
    inputs,
    logits: perTask((task) => network.logits(task, values)),
    multiplyAdds: multiplyAddsPerRow(shape, undefined),
  };
}
