import { concatenated } from '../base/concatenated.ts';
import { elementTypeCode, type GraphProto, type NodeProto, type TensorProto } from '../onnx/onnxSchema.ts';

/** ReLU(x W + b) as it stands in a graph, x being one tensor or several beside each other. K inputs, N units. */
export interface GraphLayer {
  /** The nodes that compute x W + b, in the graph's order. */
  readonly nodes: readonly NodeProto[];
  /** Name of x W + b. */
  readonly sum: string;
  /** The tensors that x is made of, each float32 [B, columns]. */
  readonly groups: readonly string[];
  readonly inputCount: number;
  readonly unitCount: number;
  /** float32 [K, N], row-major, rows in the order of the groups. */
  readonly weight: Float32Array;
  /** float32 [N] */
  readonly bias: Float32Array;
}

/** Below as many multiplications per row, turning floats into integers costs more than it saves. */
const LEAST_MULTIPLICATIONS = 1024;
/** Sums of more products of a byte and a weight could leave 32 bits. */
const MOST_INPUTS = 65_536;

/**
 * The layers of a graph that are worth computing in integers, in the graph's order. Heads (one unit), gates and cross terms
 * have no ReLU or no constant weight and stay as they are: they are cheap, and their errors go straight into the score.
 */
export function findDenseLayers(graph: GraphProto): GraphLayer[] {
  return new LayerFinder(graph).find();
}

/** A sum of products with constant weights, and a constant bias: all of a layer but its ReLU. */
interface Products {
  readonly nodes: readonly NodeProto[];
  readonly operands: readonly { readonly tensor: string; readonly weight: TensorProto }[];
  readonly bias: TensorProto;
}

class LayerFinder {
  readonly #graph: GraphProto;
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #producers: ReadonlyMap<string, NodeProto>;
  /** How often each tensor is read. */
  readonly #reads = new Map<string, number>();

  constructor(graph: GraphProto) {
    this.#graph = graph;
    this.#constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.#producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
    for (const name of [
      ...graph.node.flatMap(({ input }) => input),
      ...graph.output.map(({ name }) => name),
    ]) {
      this.#reads.set(name, (this.#reads.get(name) ?? 0) + 1);
    }
  }

  find(): GraphLayer[] {
    return this.#graph.node.flatMap((relu) => {
      const sum = relu.input[0]!;
      const products = relu.opType === 'Relu' ? this.#products(sum) : undefined;
      return products === undefined ? [] : this.#layer(sum, products);
    });
  }

  #layer(sum: string, { nodes, operands, bias }: Products): GraphLayer[] {
    const unitCount = bias.dims[0]!;
    const weight = concatenated(
      operands.map((operand) => floatsOf(operand.weight)),
      (length) => new Float32Array(length),
    );
    const inputCount = weight.length / unitCount;
    if (weight.length < LEAST_MULTIPLICATIONS || inputCount > MOST_INPUTS) return [];
    const groups = operands.flatMap(({ tensor }) => this.#joined(tensor) ?? [tensor]);
    return [{ nodes, sum, groups, inputCount, unitCount, weight, bias: floatsOf(bias) }];
  }

  /** Gemm(x, W, c) or MatMul(x, W) + b, where c is a bias or such a sum again; read once. */
  #products(name: string): Products | undefined {
    const node = this.#producers.get(name);
    if (node === undefined || this.#reads.get(name) !== 1) return undefined;
    if (node.opType === 'Gemm' && node.input.length === 3 && isPlain(node)) {
      const [tensor, weightName, addend] = node.input as [string, string, string];
      return this.#withProduct([node], tensor, weightName, addend);
    }
    if (node.opType !== 'Add') return undefined;
    const products = node.input.map((input) => this.#producers.get(input));
    const side = products.findIndex(
      (each) => each?.opType === 'MatMul' && this.#reads.get(each.output[0]!) === 1,
    );
    if (side < 0) return undefined;
    const matmul = products[side]!;
    const [tensor, weightName] = matmul.input as [string, string];
    return this.#withProduct([matmul, node], tensor, weightName, node.input[1 - side]!);
  }

  #withProduct(nodes: NodeProto[], tensor: string, weightName: string, addend: string): Products | undefined {
    const weight = floatConstant(this.#constants.get(weightName), 2);
    if (weight === undefined) return undefined;
    const bias = floatConstant(this.#constants.get(addend), 1);
    const units = weight.dims[1];
    if (bias !== undefined)
      return bias.dims[0] === units ? { nodes, operands: [{ tensor, weight }], bias } : undefined;
    const others = this.#products(addend);
    if (others?.bias.dims[0] !== units) return undefined;
    return {
      nodes: [...others!.nodes, ...nodes],
      operands: [...others!.operands, { tensor, weight }],
      bias: others!.bias,
    };
  }

  /** The tensors that a Concat puts beside each other. */
  #joined(tensor: string): readonly string[] | undefined {
    const producer = this.#producers.get(tensor);
    if (producer?.opType !== 'Concat') return undefined;
    return producer.attribute.find(({ name }) => name === 'axis')?.i === 1 ? producer.input : undefined;
  }
}

/** Does a Gemm multiply without factors and transpositions? Attributes that aren't there have such defaults. */
function isPlain({ attribute }: NodeProto): boolean {
  return attribute.every(({ name, f, i }) => (name === 'alpha' || name === 'beta' ? f === 1 : i === 0));
}

function floatConstant(tensor: TensorProto | undefined, rank: number): TensorProto | undefined {
  const isFloat = tensor?.dataType === elementTypeCode('float32') && tensor.dims.length === rank;
  return isFloat ? tensor : undefined;
}

/** A copy: the bytes of a file lie anywhere. */
function floatsOf({ rawData }: TensorProto): Float32Array {
  return new Float32Array(rawData.slice().buffer);
}
