import { Network, type NetworkInputs, type NetworkParameters } from '../model/network.ts';
import { type NetworkShape, trunkWeightName } from '../model/networkShape.ts';
import { TASKS, type Task } from '../model/tasks.ts';
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
 * Forward, backward and Adam of one step on the losses of `tasks` (method 8.3). With both tasks, the click loss is
 * taken on all B rows and the conversion loss on the first C rows, which are the clicked ones; a task alone takes
 * all B rows. With one task and masks, a trunk weight outside the task's mask keeps its value and its moments bit
 * for bit: another task's momentum must not move private weights. Gradients reach the embeddings through the output
 * `fields.gradient` [B, F, E].
 */
export function buildTrainingGraph(
  shape: NetworkShape,
  settings: TrainingSettings,
  hasMasks: boolean,
  tasks: readonly Task[] = TASKS,
): TrainingGraph {
  const graph = new GraphBuilder();
  const { network, inputs, parameters } = openNetwork(graph, shape, hasMasks, true);
  const input = network.inputLayer(inputs);
  const losses = tasks.map((task) => {
    const onClicked = task === 'conversion' && tasks.length > 1;
    const rows = onClicked ? graph.input(CLICKED_ROWS, [1], { elementType: 'int64' }) : undefined;
    const logits = network.logits(task, input, rows);
    const labels = graph.input(labelsInput(task), [onClicked ? 'C' : 'B', 1]);
    const weights = graph.input(weightsInput(task), [onClicked ? 'C' : 'B', 1]);
    const loss = lossOf(settings.losses[task])(graph, logits, labels, weights);
    graph.output(lossOutput(task), loss);
    return multiply(graph, loss, graph.scalar(settings.taskWeights[task]));
  });
  const total = losses.reduce((sum, loss) => add(graph, sum, loss));
  const targets = [inputs.fields, ...graph.parameters.values()];
  const found = gradients(graph, total, targets);
  graph.output(FIELDS_GRADIENT, found.get(inputs.fields)!);
  const updateMasks = new Map<Value, Value>();
  const [onlyTask, ...others] = tasks;
  if (onlyTask !== undefined && others.length === 0) {
    for (let layer = 0; layer + 1 < shape.layerWidths.length; layer++) {
      const mask = parameters.mask(onlyTask, layer);
      if (mask !== undefined) updateMasks.set(parameters.parameter(trunkWeightName(layer)), mask);
    }
  }
  const slots = addAdamUpdate(graph, found, { updateMasks });
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
): { network: Network; inputs: NetworkInputs; parameters: NetworkParameters } {
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
  return { network: new Network(graph, shape, parameters), inputs, parameters };
}

function lossOf(config: LossConfig): Loss {
  if (config.kind === 'focal') return focalLoss(config);
  return config.kind === 'maskedMse' ? maskedSquaredError : binaryCrossEntropy;
}
