import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnxSchema.ts';
import { attributeType, type ElementType, elementTypeCode } from '../onnx/onnxSchema.ts';
import { type Activation, type ActivationGrid, fitActivationGrid } from './activationGrid.ts';
import type { GraphLayer } from './denseLayers.ts';
import { integerWeights } from './integerWeights.ts';
import { withoutUnused } from './withoutUnused.ts';

/**
 * The model with its dense layers in integers. Written with standard operators only (QuantizeLinear and DequantizeLinear
 * around a Gemm), from which ONNX Runtime makes one kernel per layer, QGemm, whose output is bytes where the next layer wants
 * bytes: the ReLU is then the lower end of the output's range, and costs nothing. Every scale is a constant, so a row's
 * scores don't depend on other rows.
 * @param activations values on the calibration rows of every group of every layer, by its name
 */
export function quantiseGraph(
  model: ModelProto,
  layers: readonly GraphLayer[],
  activations: ReadonlyMap<string, Activation>,
): ModelProto {
  return { ...model, graph: new GraphQuantiser(model.graph, layers, activations).build() };
}

class GraphQuantiser {
  readonly #graph: GraphProto;
  readonly #layers: readonly GraphLayer[];
  readonly #activations: ReadonlyMap<string, Activation>;
  readonly #grids: ReadonlyMap<string, ActivationGrid>;
  readonly #nodes: NodeProto[] = [];
  readonly #constants = new Map<string, TensorProto>();
  readonly #written = new Set<string>();

  constructor(
    graph: GraphProto,
    layers: readonly GraphLayer[],
    activations: ReadonlyMap<string, Activation>,
  ) {
    this.#graph = graph;
    this.#layers = layers;
    this.#activations = activations;
    this.#grids = fitGrids(layers, activations);
  }

  build(): GraphProto {
    const bySum = new Map(this.#layers.map((layer) => [layer.sum, layer]));
    const replaced = new Set(this.#layers.flatMap(({ nodes }) => nodes));
    for (const node of this.#graph.node) {
      const layer = bySum.get(node.output[0]!);
      if (layer !== undefined) this.#writeLayer(layer);
      else if (!replaced.has(node)) this.#nodes.push(node);
    }
    const floor = this.#constant('floor', 'float32', [], Float32Array.of(0));
    const graph = withoutUnused({ ...this.#graph, node: this.#nodes });
    const node = withFloatRelus(graph, new Set(bySum.keys()), floor);
    return withoutUnused({
      ...graph,
      node,
      initializer: [...this.#graph.initializer, ...this.#constants.values()],
    });
  }

  #writeLayer(layer: GraphLayer): void {
    const { sum, groups, inputCount, unitCount } = layer;
    const inputs = groups.map((name) => ({
      activation: this.#activations.get(name)!,
      grid: this.#grids.get(name)!,
    }));
    const { weight, scales, bias } = integerWeights(layer, inputs);
    const scale = this.#constant(`${sum}.scale`, 'float32', [unitCount], scales);
    const integers = this.#constant(`${sum}.weight`, 'int8', [inputCount, unitCount], weight);
    const zeros = this.#constant(`${sum}.zero`, 'int8', [unitCount], new Int8Array(unitCount));
    const integerBias = this.#constant(`${sum}.bias`, 'int32', [unitCount], bias);
    // Steps and zero points are in the weights and the bias: to the layer, its inputs are the integers themselves.
    const one = this.#constant('one', 'float32', [], Float32Array.of(1));
    const none = this.#constant('none', 'uint8', [], Uint8Array.of(0));
    this.#node('Gemm', sum, [
      this.#node('DequantizeLinear', `${sum}.input`, [this.#joined(groups), one, none]),
      this.#node('DequantizeLinear', `${sum}.weight`, [integers, scale, zeros], 1),
      this.#node('DequantizeLinear', `${sum}.bias`, [integerBias, scale], 0),
    ]);
  }

  /** Tensors in bytes, each on its own grid, beside each other. */
  #joined(groups: readonly string[]): string {
    const quantised = groups.map((name) => this.#quantised(name));
    return quantised.length === 1 ? quantised[0]! : this.#node('Concat', groups.join('+'), quantised, 1);
  }

  #quantised(tensor: string): string {
    const { step, zeroPoint } = this.#grids.get(tensor)!;
    return this.#node('QuantizeLinear', `${tensor}.integers`, [
      tensor,
      this.#constant(`${tensor}.step`, 'float32', [], Float32Array.of(step)),
      this.#constant(`${tensor}.zero`, 'uint8', [], Uint8Array.of(zeroPoint)),
    ]);
  }

  /** The name of the result. A node that was written already is used again. */
  #node(opType: string, name: string, input: readonly string[], axis?: number): string {
    // The sum of a layer keeps its name, which its ReLU reads.
    const output = opType === 'Gemm' ? name : quantisedName(name);
    if (!this.#written.has(output)) {
      const attribute: AttributeProto[] =
        axis === undefined ? [] : [{ name: 'axis', type: attributeType.int, i: axis }];
      this.#nodes.push({ input, output: [output], name: output, opType, domain: '', attribute });
      this.#written.add(output);
    }
    return output;
  }

  #constant(
    of: string,
    elementType: ElementType,
    dims: readonly number[],
    { buffer, byteOffset, byteLength }: Float32Array | Int32Array | Int8Array | Uint8Array,
  ): string {
    const name = `${quantisedName(of)}.constant`;
    const rawData = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    const dataType = elementTypeCode(elementType);
    this.#constants.set(name, { dims, dataType, name, rawData, dataLocation: 0 });
    return name;
  }
}

/** No name of the float graph begins like that. */
function quantisedName(name: string): string {
  return `quantised:${name}`;
}

/** One grid per tensor, whatever layers read it. */
function fitGrids(
  layers: readonly GraphLayer[],
  activations: ReadonlyMap<string, Activation>,
): Map<string, ActivationGrid> {
  const importances = new Map<string, Float64Array>();
  for (const { groups, unitCount, weight } of layers) {
    let input = 0;
    for (const name of groups) {
      const { columnCount } = activations.get(name)!;
      const importance = importances.get(name) ?? new Float64Array(columnCount);
      for (let column = 0; column < columnCount; column++, input++) {
        for (let unit = 0; unit < unitCount; unit++) {
          importance[column] = importance[column]! + weight[input * unitCount + unit]! ** 2;
        }
      }
      importances.set(name, importance);
    }
  }
  return new Map(
    [...importances].map(([name, importance]) => [
      name,
      fitActivationGrid(activations.get(name)!, importance),
    ]),
  );
}

/**
 * A ReLU that ends in bytes melts into its layer. One that is read as floats is written as a maximum with 0: ONNX Runtime
 * would fuse Gemm and Relu first, and then compute the layer in floats.
 */
function withFloatRelus(graph: GraphProto, sums: ReadonlySet<string>, zero: string): NodeProto[] {
  const outputs = new Set(graph.output.map(({ name }) => name));
  return graph.node.map((node) => {
    if (node.opType !== 'Relu' || !sums.has(node.input[0]!)) return node;
    const [name] = node.output as [string];
    const readers = graph.node.filter(({ input }) => input.includes(name));
    if (!outputs.has(name) && readers.every(({ opType }) => opType === 'QuantizeLinear')) return node;
    return { ...node, opType: 'Max', input: [node.input[0]!, zero] };
  });
}
