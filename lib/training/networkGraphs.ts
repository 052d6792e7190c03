import { Network, type NetworkInputs, type NetworkParameters } from '../model/network.ts';
import type { NetworkShape } from '../model/networkShape.ts';
import { type PerTask, TASKS, type Task } from '../model/tasks.ts';
import { type AdamSlot, addAdamUpdate } from '../onnx/adam.ts';
import { gradients } from '../onnx/gradients.ts';
import { type BuiltGraph, GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { add, multiply, sigmoid } from '../onnx/ops.ts';
import { binaryCrossEntropy, focalLoss, type Loss, maskedSquaredError } from './losses.ts';
import type { LossConfig, TrainingSettings } from './trainingConfig.ts';

export const FIELDS = 'fields';
export const FIELDS_GRADIENT = 'fields.gradient';
export const DENSE_INPUT = 'dense';
/** int64 [1]: C, how many rows from the front were clicked (at least 1; an unclicked one has weight 0). */
export const CLICKED_ROWS = 'clickedRows';
export const labelsInput = (task: Task): string => `${task}.labels`;
export const weightsInput = (task: Task): string => `${task}.weights`;
export const lossOutput = (task: Task): string => `${task}.loss`;
export const maskInput = (task: Task, layer: number): string => `${task}.mask.${layer}`;
export const predictionOutput = (task: Task): string => `${task}.p`;

export interface TrainingGraph extends BuiltGraph {
  readonly slots: readonly AdamSlot[];
}

/**
 * Forward, backward and Adam of one joint step (method 8.3): the click loss on all B rows, the conversion loss on
 * the first C rows, which are the clicked ones. Gradients reach the embeddings through the output
 * `fields.gradient` [B, F, E].
 */
export function buildTrainingGraph(
  shape: NetworkShape,
  settings: TrainingSettings,
  hasMasks: boolean,
): TrainingGraph {
  const graph = new GraphBuilder();
  const { network, inputs } = openNetwork(graph, shape, hasMasks, true);
  const input = network.inputLayer(inputs);
  const clickedRows = graph.input(CLICKED_ROWS, [1], { elementType: 'int64' });
  const rowsOf: PerTask<{ name: string; count: Value | undefined }> = {
    click: { name: 'B', count: undefined },
    conversion: { name: 'C', count: clickedRows },
  };
  const losses = TASKS.map((task) => {
    const { name, count } = rowsOf[task];
    const logits = network.logits(task, input, count);
    const labels = graph.input(labelsInput(task), [name, 1]);
    const weights = graph.input(weightsInput(task), [name, 1]);
    const loss = lossOf(settings.losses[task])(graph, logits, labels, weights);
    graph.output(lossOutput(task), loss);
    return multiply(graph, loss, graph.scalar(settings.taskWeights[task]));
  });
  const total = losses.reduce((sum, loss) => add(graph, sum, loss));
  const targets = [inputs.fields, ...graph.parameters.values()];
  const found = gradients(graph, total, targets);
  graph.output(FIELDS_GRADIENT, found.get(inputs.fields)!);
  const slots = addAdamUpdate(graph, found);
  return { ...graph.build({ graphName: 'ncs4cvr-training' }), slots };
}

/** The same network's forward pass alone, parameters fed at run time: `click.p` and `conversion.p`, each [B, 1]. */
export function buildForwardGraph(shape: NetworkShape, hasMasks: boolean): BuiltGraph {
  const graph = new GraphBuilder();
  const { network, inputs } = openNetwork(graph, shape, hasMasks, false);
  const input = network.inputLayer(inputs);
  for (const task of TASKS) {
    graph.output(predictionOutput(task), sigmoid(graph, network.logits(task, input)));
  }
  return graph.build({ graphName: 'ncs4cvr-forward' });
}

function openNetwork(
  graph: GraphBuilder,
  shape: NetworkShape,
  hasMasks: boolean,
  requiresGradient: boolean,
): { network: Network; inputs: NetworkInputs } {
  const byName = new Map(shape.parameters.map((parameter) => [parameter.name, parameter]));
  const parameters: NetworkParameters = {
    parameter: (name) => graph.parameter(name, byName.get(name)!.shape),
    mask: (task, layer) =>
      hasMasks ? graph.input(maskInput(task, layer), shape.layerWidths.slice(layer, layer + 2)) : undefined,
  };
  const inputs: NetworkInputs = {
    fields: graph.input(FIELDS, ['B', shape.fieldNames.length, shape.embeddingWidth], { requiresGradient }),
    dense: shape.denseWidth === 0 ? undefined : graph.input(DENSE_INPUT, ['B', shape.denseWidth]),
  };
  return { network: new Network(graph, shape, parameters), inputs };
}

function lossOf(config: LossConfig): Loss {
  if (config.kind === 'focal') return focalLoss(config);
  return config.kind === 'maskedMse' ? maskedSquaredError : binaryCrossEntropy;
}
