import { TASKS, type Task } from '../base/tasks.ts';
import { Network, type NetworkInputs, type NetworkParameters } from '../network/network.ts';
import { type NetworkShape, trunkLayers, trunkWeightName } from '../network/networkShape.ts';
import { addAdamUpdate } from '../onnx/adam.ts';
import { elementwise } from '../onnx/elementwiseOps.ts';
import { gradients } from '../onnx/gradients.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { add, sigmoid, stopGradient, subtract } from '../onnx/ops.ts';
import { addLosses } from './addLosses.ts';
import { densityPenalty, hardConcrete } from './hardConcrete.ts';
import type { MaskEstimator } from './maskLearning.ts';
import {
  agreementName,
  DENSE_INPUT,
  FIELDS,
  FIELDS_GRADIENT,
  maskInput,
  nextAgreementName,
  noiseInput,
  predictionOutput,
  scoreName,
} from './tensorNames.ts';
import type { TrainingSettings } from './trainingSettings.ts';

/**
 * `given`: masks are inputs. `topD`: they are inputs too, and every connection has a score per task that gets the
 * gradient its mask bit would get (straight through). `hardConcrete`: masks are drawn from the scores and noise.
 */
type MaskMode = 'none' | 'given' | MaskEstimator;

export interface TrainingGraphOptions {
  readonly shape: NetworkShape;
  readonly settings: TrainingSettings;
  readonly maskMode: MaskMode;
  readonly tasks: readonly Task[];
}

/** Decay of the moving mean of gradient products; the same as Adam's second moment, so that their ratio is a cosine. */
const AGREEMENT_DECAY = 0.999;

/**
 * Forward, backward and Adam of one step on the losses of `tasks` (method section 8.3). With both tasks, the click loss
 * is taken on all B rows and the conversion loss on the first C rows, which are the clicked ones; a task alone takes
 * all B rows. With one task and masks, a trunk weight outside the task's mask keeps its value and its moments bit
 * for bit: another task's momentum must not move private weights. Gradients reach the embeddings through the output
 * `fields.gradient` [B, F, E], which a network of numbers alone hasn't.
 */
export function buildTrainingGraph({ shape, settings, maskMode, tasks }: TrainingGraphOptions): Uint8Array {
  const graph = new GraphBuilder();
  const { network, inputs, parameters } = openNetwork(graph, shape, maskMode, true);
  const losses = addLosses(graph, network, inputs, settings, tasks);
  const penalty = maskMode === 'hardConcrete' ? addPenalty(graph, shape) : undefined;
  const total = penalty === undefined ? losses : add(graph, losses, penalty);
  const targets = [...(inputs.fields === undefined ? [] : [inputs.fields]), ...graph.parameters.values()];
  const found = gradients(graph, total, targets);
  if (inputs.fields !== undefined) graph.output(FIELDS_GRADIENT, found.get(inputs.fields)!);
  if (maskMode === 'topD' || maskMode === 'hardConcrete') addAgreement(graph, shape, found, penalty);
  const updateMasks = new Map<Value, Value>();
  const [onlyTask, ...others] = tasks;
  if (onlyTask !== undefined && others.length === 0) {
    for (const layer of trunkLayers(shape).keys()) {
      const mask = parameters.mask(onlyTask, layer);
      if (mask !== undefined) updateMasks.set(parameters.parameter(trunkWeightName(layer)), mask);
    }
  }
  addAdamUpdate(graph, found, { updateMasks });
  return graph.build({ graphName: 'ncs4cvr-training' });
}

/** The same network's forward pass alone, parameters fed at run time: `click.p` and `conversion.p`, each [B, 1]. */
export function buildForwardGraph(shape: NetworkShape, hasMasks: boolean): Uint8Array {
  const graph = new GraphBuilder();
  const { network, inputs } = openNetwork(graph, shape, hasMasks ? 'given' : 'none', false);
  for (const task of TASKS) {
    graph.output(predictionOutput(task), sigmoid(graph, network.logits(task, inputs)));
  }
  return graph.build({ graphName: 'ncs4cvr-forward' });
}

/**
 * The mask's value with a way for its gradient to the score: m + (S - stopped S), exactly m going forward, so that
 * dL/dS = dL/dW_effective * W (Bengio et al. 2013; method, appendix C).
 */
function straightThrough(graph: GraphBuilder, mask: Value, score: Value): Value {
  return add(graph, mask, subtract(graph, score, stopGradient(graph, score)));
}

/**
 * A' = b A + (1 - b) dL_click/dS * dL_conversion/dS, per layer. A penalty on the scores pushes both tasks alike,
 * which is no agreement: its gradient is taken off first.
 */
function addAgreement(
  graph: GraphBuilder,
  shape: NetworkShape,
  found: ReadonlyMap<Value, Value>,
  penalty: Value | undefined,
): void {
  const layers = trunkLayers(shape);
  const scoreOf = (task: Task, layer: number) => graph.parameters.get(scoreName(task, layer))!;
  const scores = TASKS.flatMap((task) => layers.map((_, layer) => scoreOf(task, layer)));
  const ofPenalty = penalty && gradients(graph, penalty, scores);
  const lossGradient = (task: Task, layer: number): Value => {
    const score = scoreOf(task, layer);
    const gradient = found.get(score)!;
    return ofPenalty === undefined ? gradient : elementwise(graph, 'Sub', gradient, ofPenalty.get(score)!);
  };
  for (const [layer, widths] of layers.entries()) {
    const product = elementwise(
      graph,
      'Mul',
      lossGradient('click', layer),
      lossGradient('conversion', layer),
    );
    const old = graph.input(agreementName(layer), widths);
    const kept = elementwise(graph, 'Mul', old, graph.scalar(AGREEMENT_DECAY));
    const added = elementwise(graph, 'Mul', product, graph.scalar(1 - AGREEMENT_DECAY));
    graph.output(nextAgreementName(layer), elementwise(graph, 'Add', kept, added));
  }
}

/** Of the scores of both tasks. */
function addPenalty(graph: GraphBuilder, shape: NetworkShape): Value {
  const layers = trunkLayers(shape);
  const scores = TASKS.flatMap((task) =>
    layers.map((widths, layer) => graph.parameter(scoreName(task, layer), widths)),
  );
  const connections = layers.reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0);
  return densityPenalty(graph, scores, TASKS.length * connections);
}

function openNetwork(
  graph: GraphBuilder,
  shape: NetworkShape,
  masks: MaskMode,
  requiresGradient: boolean,
): { network: Network; inputs: NetworkInputs; parameters: NetworkParameters } {
  const layers = trunkLayers(shape);
  const byName = new Map(shape.parameters.map((parameter) => [parameter.name, parameter]));
  const parameters: NetworkParameters = {
    parameter: (name) => graph.parameter(name, byName.get(name)!.shape),
    mask: (task, layer) => {
      if (masks === 'none') return undefined;
      const widths = layers[layer]!;
      if (masks === 'hardConcrete') {
        const noise = graph.input(noiseInput(task, layer), widths);
        return hardConcrete(graph, graph.parameter(scoreName(task, layer), widths), noise);
      }
      const mask = graph.input(maskInput(task, layer), widths);
      return masks === 'given'
        ? mask
        : straightThrough(graph, mask, graph.parameter(scoreName(task, layer), widths));
    },
  };
  const { denseWidth } = shape.layout;
  const inputs: NetworkInputs = {
    fields:
      shape.fieldNames.length === 0
        ? undefined
        : graph.input(FIELDS, ['B', shape.fieldNames.length, shape.embeddingWidth], { requiresGradient }),
    dense: denseWidth === 0 ? undefined : graph.input(DENSE_INPUT, ['B', denseWidth]),
  };
  return { network: new Network(graph, shape, parameters), inputs, parameters };
}
