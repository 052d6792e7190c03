import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import { type DenseLayer, pruneTrunk } from '../network/pruneTrunk.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import { relu } from '../onnx/ops.ts';
import { type FirstLayerPlan, planFirstLayer } from './firstLayerPlan.ts';
import { type GatherPlan, inputWidth } from './gatherPlan.ts';
import { storeLayer } from './sparseLayers.ts';

/**
 * Below this share of weights that aren't 0, a layer costs less by its weights alone, four rows at a time, than by ONNX Runtime's
 * products with the whole matrix: docs/performance.md.
 */
const MOST_DENSE = 0.05;

/** A network in a graph under construction. */
export interface NetworkInGraph {
  readonly inputs: GatherPlan;
  /** [B, 1] */
  readonly logits: PerTask<Value>;
  readonly multiplyAdds: number;
}

/**
 * Adds the trunks of an NCS network without what no score depends on. Tasks that see the same columns share an input and the
 * layers that both compute alike. The first layers of an input that are sparse are left to gathering.
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
      const { input, rows } = planFirstLayer(shape, name, tasks, layers);
      const { blocks, products } = input;
      if (products !== undefined) {
        this.#multiplyAdds += products.pairs.length * (blocks[0]!.to - blocks[0]!.from);
      }
      const chain = shared[0] === undefined ? own[tasks[0]!] : shared;
      const sparse = layers.length > 1 ? [] : leadingSparse([withRows(layers[0]!, rows), ...chain.slice(1)]);
      if (sparse.length > 0) {
        const withLayers = { ...input, layers: sparse.map(({ weight, bias }) => storeLayer(weight, bias)) };
        const units = this.#graph.input(name, ['B', inputWidth(withLayers)]);
        for (const layer of chain.slice(0, sparse.length)) outputs.set(layer, units);
        this.#multiplyAdds += sparse.reduce((sum, { weight }) => sum + weightCount(weight), 0);
        return withLayers;
      }
      const x = this.#graph.input(name, ['B', inputWidth(input)]);
      for (const layer of layers) outputs.set(layer, this.#layer(withRows(layer, rows), x));
      return input;
    });
    const through = (layers: readonly DenseLayer[], from?: Value) =>
      layers.reduce<Value | undefined>((x, layer) => outputs.get(layer) ?? this.#layer(layer, x!), from);
    const front = through(shared);
    const logits = perTask((task) => through(own[task], front)!);
    return { inputs, logits, multiplyAdds: this.#multiplyAdds };
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

  /** x W + b */
  #gemm(x: Value, weight: Value, bias: Value): Value {
    const [inputs, units] = weight.shape as [number, number];
    this.#multiplyAdds += inputs * units;
    return this.#graph.node('Gemm', [x, weight, bias], { shape: ['B', units] });
  }

  #parameter(name: string, shape: readonly number[], values: Float32Array): Value {
    this.#parameters.set(name, values);
    return this.#graph.parameter(name, shape);
  }
}

/** A first layer whose inputs are columns that are gathered. */
function withRows(layer: DenseLayer, rows: FirstLayerPlan['rows']): DenseLayer {
  const { units } = layer;
  const weight = new Float32Array(rows.length * units);
  rows.forEach((row, at) => {
    if (row !== undefined) weight.set(layer.weight.subarray(row * units, (row + 1) * units), at * units);
  });
  return { ...layer, inputs: rows.length, weight };
}

/** Layers that come before the first one that isn't sparse, and before the head. */
function leadingSparse(chain: readonly DenseLayer[]): readonly DenseLayer[] {
  const end = chain.findIndex(
    ({ isHead, weight }) => isHead || weightCount(weight) >= MOST_DENSE * weight.length,
  );
  return end === -1 ? chain : chain.slice(0, end);
}

function weightCount(weight: Float32Array): number {
  return weight.reduce((count, value) => count + Number(value !== 0), 0);
}
