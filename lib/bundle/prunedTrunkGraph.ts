import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import { type DenseLayer, pruneTrunk } from '../network/pruneTrunk.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import { gatherColumns, matmul, relu, reshape, slice, transposeLast } from '../onnx/ops.ts';
import { type FirstLayerPlan, planFirstLayer, type WeightRows } from './firstLayerPlan.ts';
import { type GatherPlan, inputWidth } from './gatherPlan.ts';

/** A network in a graph under construction. */
export interface NetworkInGraph {
  readonly inputs: GatherPlan;
  /** [B, 1] */
  readonly logits: PerTask<Value>;
  readonly multiplyAdds: number;
}

/**
 * Adds the trunks of an NCS network without what no score depends on. Tasks that see the same columns share an input, its
 * products of pairs and the layers that both compute alike.
 * @param parameters is given the values of the graph's parameters
 */
export function addPrunedTrunk(
  graph: GraphBuilder,
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
  parameters: Map<string, Float32Array>,
): NetworkInGraph {
  return new PrunedTrunkGraph(graph, parameters).add(shape, pruneTrunk(shape, weights, masks));
}

class PrunedTrunkGraph {
  readonly #graph: GraphBuilder;
  readonly #parameters: Map<string, Float32Array>;
  #multiplyAdds = 0;

  constructor(graph: GraphBuilder, parameters: Map<string, Float32Array>) {
    this.#graph = graph;
    this.#parameters = parameters;
  }

  add(shape: NetworkShape, { shared, own }: ReturnType<typeof pruneTrunk>): NetworkInGraph {
    const groups: (readonly [string, readonly Task[]])[] =
      shape.privateEmbeddingWidth === 0 ? [['rows', TASKS]] : TASKS.map((task) => [task, [task]]);
    const outputs = new Map<DenseLayer, Value>();
    const inputs = groups.map(([name, tasks]) => {
      const layers = [...new Set(tasks.map((task) => shared[0] ?? own[task][0]!))];
      const plan = planFirstLayer(shape, name, tasks, layers);
      const x = this.#graph.input(name, ['B', inputWidth(plan.input)]);
      const products = this.#products(x, plan);
      for (const layer of layers) outputs.set(layer, this.#firstLayer(layer, plan, x, products));
      return plan.input;
    });
    const through = (layers: readonly DenseLayer[], from?: Value) =>
      layers.reduce<Value | undefined>((x, layer) => outputs.get(layer) ?? this.#layer(layer, x!), from);
    const front = through(shared);
    const logits = perTask((task) => through(own[task], front)!);
    return { inputs, logits, multiplyAdds: this.#multiplyAdds };
  }

  /** Dot products of the crossed fields, [B, X^2] or those in use. */
  #products(x: Value, { crossed: count, input, products }: FirstLayerPlan): Value | undefined {
    if (products === undefined) return undefined;
    const graph = this.#graph;
    const { from, to } = input.blocks[0]!;
    const width = to - from;
    const fields = reshape(graph, slice(graph, x, 1, 0, count * width), ['B', count, width]);
    const all = reshape(graph, matmul(graph, fields, transposeLast(graph, fields)), ['B', count ** 2]);
    this.#multiplyAdds += count ** 2 * width;
    return products.positions === undefined ? all : gatherColumns(graph, all, products.positions);
  }

  /** Two products into one sum: joining the inputs instead would copy both. */
  #firstLayer(layer: DenseLayer, plan: FirstLayerPlan, x: Value, products: Value | undefined): Value {
    const { name, bias } = layer;
    const ofInput = this.#weight(`${name}.weight`, layer, plan.rows);
    let sum = this.#gemm(x, ofInput, this.#parameter(`${name}.bias`, [layer.units], bias));
    if (products !== undefined) {
      sum = this.#gemm(products, this.#weight(`${name}.cross`, layer, plan.products!.rows), sum);
    }
    return relu(this.#graph, sum);
  }

  /** Of a head the logits, [B, 1]; ReLU comes behind other layers. */
  #layer({ name, inputs, units, weight, bias, isHead }: DenseLayer, x: Value): Value {
    const sum = this.#gemm(
      x,
      this.#parameter(`${name}.weight`, [inputs, units], weight),
      this.#parameter(`${name}.bias`, [units], bias),
    );
    return isHead ? sum : relu(this.#graph, sum);
  }

  /** x W + c, where c is a bias or another such product. */
  #gemm(x: Value, weight: Value, c: Value): Value {
    const [inputs, units] = weight.shape as [number, number];
    this.#multiplyAdds += inputs * units;
    return this.#graph.node('Gemm', [x, weight, c], { shape: ['B', units] });
  }

  #weight(name: string, { units, weight }: DenseLayer, rows: WeightRows): Value {
    const chosen = new Float32Array(rows.length * units);
    rows.forEach((row, at) => {
      if (row !== undefined) chosen.set(weight.subarray(row * units, (row + 1) * units), at * units);
    });
    return this.#parameter(name, [rows.length, units], chosen);
  }

  #parameter(name: string, shape: readonly number[], values: Float32Array): Value {
    this.#parameters.set(name, values);
    return this.#graph.parameter(name, shape);
  }
}
