import type { Task } from '../base/tasks.ts';
import type { Network, NetworkInputs } from '../network/network.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import { add, multiply, takeRows } from '../onnx/ops.ts';
import {
  binaryCrossEntropy,
  focalLoss,
  type Loss,
  maskedSquaredError,
  productCrossEntropy,
  propensityWeights,
} from './losses.ts';
import {
  CLICKED_ROWS,
  CTCVR_LABELS,
  CTCVR_WEIGHTS,
  labelsInput,
  lossOutput,
  weightsInput,
} from './tensorNames.ts';
import type { EntireSpaceConfig, LossConfig, TrainingSettings } from './trainingSettings.ts';

/**
 * Adds the losses of `tasks` and their inputs: of clicks on all B rows, of conversions on the first C rows, which are
 * the clicked ones with a known conversion; a task alone takes all B rows. Each task's loss is an output.
 * @returns the weighted sum, a scalar
 */
export function addLosses(
  graph: GraphBuilder,
  network: Network,
  inputs: NetworkInputs,
  settings: TrainingSettings,
  tasks: readonly Task[],
): Value {
  const [onlyTask, ...others] = tasks;
  const logitsOf = (task: Task, rows?: Value) => network.logits(task, inputs, rows);
  if (onlyTask !== undefined && others.length === 0) {
    return addTaskLoss(graph, onlyTask, settings, logitsOf(onlyTask), 'B');
  }
  const clickLogits = logitsOf('click');
  const clickLoss = addTaskLoss(graph, 'click', settings, clickLogits, 'B');
  const clicked = graph.input(CLICKED_ROWS, [1], { elementType: 'int64' });
  if (settings.entireSpace === undefined) {
    const conversionLoss = addTaskLoss(graph, 'conversion', settings, logitsOf('conversion', clicked), 'C');
    return add(graph, clickLoss, conversionLoss);
  }
  const funnel = { click: clickLogits, conversion: logitsOf('conversion') };
  return add(graph, clickLoss, addEntireSpace(graph, funnel, clicked, settings, settings.entireSpace));
}

/** Conversions learned from impressions too (method, appendix C): clicked rows by their propensity, and pCTCVR. */
function addEntireSpace(
  graph: GraphBuilder,
  logits: Readonly<Record<Task, Value>>,
  clicked: Value,
  settings: TrainingSettings,
  { maxPropensityWeight, ctcvrWeight }: EntireSpaceConfig,
): Value {
  const ofClicked = takeRows(graph, logits.conversion, clicked);
  const clickOfClicked = takeRows(graph, logits.click, clicked);
  let loss = addTaskLoss(graph, 'conversion', settings, ofClicked, 'C', (weights) =>
    maxPropensityWeight > 1
      ? propensityWeights(graph, clickOfClicked, weights, maxPropensityWeight)
      : weights,
  );
  if (ctcvrWeight > 0) {
    const labels = graph.input(CTCVR_LABELS, ['B', 1]);
    const weights = graph.input(CTCVR_WEIGHTS, ['B', 1]);
    const ctcvr = productCrossEntropy(graph, [logits.click, logits.conversion], labels, weights);
    loss = add(graph, loss, multiply(graph, ctcvr, graph.scalar(ctcvrWeight)));
  }
  return loss;
}

function addTaskLoss(
  graph: GraphBuilder,
  task: Task,
  { losses, taskWeights }: TrainingSettings,
  logits: Value,
  rowName: 'B' | 'C',
  reweigh: (weights: Value) => Value = (weights) => weights,
): Value {
  const labels = graph.input(labelsInput(task), [rowName, 1]);
  const weights = reweigh(graph.input(weightsInput(task), [rowName, 1]));
  const loss = lossOf(losses[task])(graph, logits, labels, weights);
  graph.output(lossOutput(task), loss);
  return multiply(graph, loss, graph.scalar(taskWeights[task]));
}

function lossOf(config: LossConfig): Loss {
  if (config.kind === 'focal') return focalLoss(config);
  return config.kind === 'maskedMse' ? maskedSquaredError : binaryCrossEntropy;
}
