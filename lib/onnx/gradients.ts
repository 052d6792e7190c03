import { Ncs4cvrError } from '../base/errors.ts';
import type { GraphBuilder } from './graphBuilder.ts';
import type { Value } from './opDefinition.ts';
import { opDefinition } from './ops.ts';
import { formatShape } from './shapes.ts';

/**
 * Adds to the graph the nodes that compute dLoss/dValue for each of `targets`, by reverse mode over the recorded
 * applications. Loss: a scalar. The results have their target's shape and can't be differentiated again.
 * Throws GRAPH_LOSS_NOT_SCALAR; GRAPH_GRADIENT_MISSING, listing every target without a path to the loss;
 * GRAPH_OP_NOT_DIFFERENTIABLE when a path leads through such an op.
 */
export function gradients(
  graph: GraphBuilder,
  loss: Value,
  targets: readonly Value[],
): ReadonlyMap<Value, Value> {
  if (loss.shape.length > 0) {
    throw new Ncs4cvrError('GRAPH_LOSS_NOT_SCALAR', `the loss '${loss.name}' isn't a scalar`, {
      expected: '[]',
      found: formatShape(loss.shape),
    });
  }
  const onPath = dependents(graph, targets);
  const found = new Map<Value, Value>();
  if (onPath.has(loss)) found.set(loss, graph.scalar(1));

  for (const { op, inputs, attributes, output } of graph.applications.toReversed()) {
    const gradient = found.get(output);
    if (gradient === undefined) continue;
    const definition = opDefinition(op);
    if (definition.gradient !== 'exact') {
      throw new Ncs4cvrError('GRAPH_OP_NOT_DIFFERENTIABLE', `a gradient is asked for through '${op}'`);
    }
    for (const [inputIndex, input] of inputs.entries()) {
      if (!onPath.has(input)) continue;
      const term = definition.backward(graph, { inputs, attributes, output }, gradient, inputIndex);
      const others = found.get(input);
      found.set(input, others ? graph.node('Add', [others, term], { shape: input.shape }) : term);
    }
  }

  const missing = targets.filter((target) => !found.has(target));
  if (missing.length > 0) {
    throw new Ncs4cvrError('GRAPH_GRADIENT_MISSING', 'the loss has no gradient for some values', {
      expected: 'values that require a gradient and lead to the loss',
      found: missing.map(({ name }) => `'${name}'`).join(', '),
    });
  }
  return new Map(targets.map((target) => [target, found.get(target)!]));
}

/** The targets that require a gradient and every value computed from them, up to where a gradient is stopped. */
function dependents(graph: GraphBuilder, targets: readonly Value[]): ReadonlySet<Value> {
  const found = new Set(targets.filter(({ requiresGradient }) => requiresGradient));
  for (const { inputs, output } of graph.applications) {
    if (output.requiresGradient && inputs.some((input) => found.has(input))) found.add(output);
  }
  return found;
}
