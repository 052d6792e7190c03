import { createHash } from 'node:crypto';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeModel, valueInfoOf } from './modelProto.ts';
import { type ElementType, elementTypeCode, type NodeProto, type TensorProto } from './onnxSchema.ts';
import type { NodeEmitter, NodeResult, Value } from './opDefinition.ts';
import { type OpAttributes, type OpInputs, type OpName, opDefinition } from './ops.ts';
import { elementCount, formatShape, type Shape, sameShape, shapeMismatch } from './shapes.ts';

export type { Value };

/** IR 8 and opset 17 are read by every ONNX Runtime since 1.12. */
const irVersion = 8;
const opsetVersion = 17;

/** One use of an op table row, in the order of construction; what reverse mode walks over. */
export interface OpApplication {
  readonly op: OpName;
  readonly inputs: readonly Value[];
  readonly attributes: unknown;
  readonly output: Value;
}

export interface BuildOptions {
  /** Values of parameters, by name, written into the file as constants. Names the graph doesn't use are ignored. */
  readonly parameters?: ReadonlyMap<string, Float32Array>;
  readonly graphName?: string;
  /** Written beside the graph, key by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Builds one ONNX graph. `apply` adds a row of the op table and records it for `gradients`; `node` adds a plain ONNX
 * node without a gradient. Nodes, inputs and constants that no output depends on are left out of the file.
 */
export class GraphBuilder implements NodeEmitter {
  private readonly nodes: NodeProto[] = [];
  private readonly constants = new Map<string, { readonly value: Value; readonly bytes: Uint8Array }>();
  private readonly inputValues = new Map<string, Value>();
  private readonly parameterValues = new Map<string, Value>();
  private readonly outputValues = new Map<string, Value>();
  private readonly recorded: OpApplication[] = [];
  /** Names of nodes' results, and what the file calls those that are outputs. */
  private readonly nodeNames = new Set<string>();
  private readonly fileNames = new Map<string, string>();
  private nextId = 0;

  get applications(): readonly OpApplication[] {
    return this.recorded;
  }

  /** Trainable tensors by name, in the order of creation. */
  get parameters(): ReadonlyMap<string, Value> {
    return this.parameterValues;
  }

  /**
   * A tensor fed at run time (default float32 without gradient). The same name, shape and type give the same value
   * again; anything else under a used name is GRAPH_NAME_TAKEN.
   */
  input(
    name: string,
    shape: Shape,
    options: { readonly elementType?: ElementType; readonly requiresGradient?: boolean } = {},
  ): Value {
    const { elementType = 'float32', requiresGradient = false } = options;
    return this.declare(this.inputValues, { name, shape, elementType, requiresGradient });
  }

  /** A trainable float32 tensor: fed at run time, or a constant of the file when `build` gets its values. */
  parameter(name: string, shape: Shape): Value {
    elementCount(shape);
    return this.declare(this.parameterValues, {
      name,
      shape,
      elementType: 'float32',
      requiresGradient: true,
    });
  }

  /** A constant of the file; equal ones are stored once. The array is copied. */
  constant(data: Float32Array | Int32Array | BigInt64Array, shape: Shape): Value {
    if (elementCount(shape) !== data.length) {
      throw shapeMismatch('constant', `${data.length} elements`, formatShape(shape));
    }
    const elementType: ElementType =
      data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'int64';
    const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${elementType}${formatShape(shape)}${createHash('sha256').update(view).digest('base64')}`;
    const known = this.constants.get(key);
    if (known) return known.value;
    const value = { name: this.newName('constant'), shape, elementType, requiresGradient: false };
    this.constants.set(key, { value, bytes: view.slice() });
    return value;
  }

  scalar(value: number): Value {
    return this.constant(Float32Array.of(value), []);
  }

  int64(values: readonly number[]): Value {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** Adds a row of the op table. Throws GRAPH_SHAPE_MISMATCH when the inputs don't fit it. */
  apply<Name extends OpName>(op: Name, inputs: OpInputs<Name>, attributes: OpAttributes<Name>): Value {
    const definition = opDefinition(op);
    const computed = definition.forward(this, inputs, attributes);
    const requiresGradient =
      definition.gradient !== 'stopped' && inputs.some((input: Value) => input.requiresGradient);
    const output = { ...computed, requiresGradient };
    this.recorded.push({ op, inputs, attributes, output });
    return output;
  }

  node(opType: string, inputs: readonly Value[], result: NodeResult): Value {
    const { shape, elementType = 'float32' } = result;
    const name = this.newName(opType);
    this.addNode(opType, name, inputs, result);
    return { name, shape, elementType, requiresGradient: false };
  }

  /** Gives a value a name in the file's outputs. */
  output(name: string, value: Value): void {
    this.checkNameIsFree(name, value);
    this.outputValues.set(name, { ...value, name });
    if (this.nodeNames.has(value.name) && !this.fileNames.has(value.name)) {
      // The file calls the node's result by its output name, which saves a copy of the tensor in every run.
      this.fileNames.set(value.name, name);
    } else {
      this.addNode('Identity', name, [value], value);
    }
  }

  /**
   * The .onnx file: everything its outputs depend on; to feed are the inputs and the parameters without values.
   * Throws GRAPH_PARAMETER_SIZE, listing every parameter that doesn't fit.
   */
  build({ parameters = new Map(), graphName = 'ncs4cvr', metadata = {} }: BuildOptions = {}): Uint8Array {
    const { nodes, used } = this.reachable();
    const usedParameters = [...this.parameterValues.values()].filter(({ name }) => used.has(name));
    checkSizes(usedParameters, parameters);
    const inputs = [
      ...[...this.inputValues.values()].filter(({ name }) => used.has(name)),
      ...usedParameters.filter(({ name }) => !parameters.has(name)),
    ];
    const initializer: TensorProto[] = [];
    for (const { value, bytes } of this.constants.values()) {
      if (used.has(value.name)) initializer.push(tensorProto(value, bytes));
    }
    for (const value of usedParameters) {
      const data = parameters.get(value.name);
      if (data) {
        initializer.push(tensorProto(value, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
      }
    }
    return encodeModel({
      irVersion,
      producerName: 'ncs4cvr',
      graph: {
        name: graphName,
        node: nodes,
        initializer,
        input: inputs.map(valueInfoOf),
        output: [...this.outputValues.values()].map(valueInfoOf),
      },
      opsetImport: [{ domain: '', version: opsetVersion }],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }

  /** Nodes the outputs depend on, in order and with the file's names, and the names of all tensors these read. */
  private reachable(): { nodes: NodeProto[]; used: ReadonlySet<string> } {
    const used = new Set<string>(this.outputValues.keys());
    const inFile = (name: string): string => this.fileNames.get(name) ?? name;
    const nodes: NodeProto[] = [];
    for (const node of this.nodes.toReversed()) {
      const output = node.output.map(inFile);
      if (!output.some((name) => used.has(name))) continue;
      const input = node.input.map(inFile);
      nodes.push({ ...node, input, output });
      for (const name of input) used.add(name);
    }
    return { nodes: nodes.reverse(), used };
  }

  private declare(kind: Map<string, Value>, value: Value): Value {
    const known = kind.get(value.name);
    if (
      known?.elementType === value.elementType &&
      known.requiresGradient === value.requiresGradient &&
      sameShape(known.shape, value.shape)
    ) {
      return known;
    }
    this.checkNameIsFree(value.name, value);
    kind.set(value.name, value);
    return value;
  }

  private checkNameIsFree(name: string, wanted: Value): void {
    const known = this.inputValues.get(name) ?? this.parameterValues.get(name) ?? this.outputValues.get(name);
    // Generated names hold a colon; see newName.
    if (known === undefined && name !== '' && !name.includes(':')) return;
    throw new Ncs4cvrError('GRAPH_NAME_TAKEN', `the name '${name}' is taken or reserved`, {
      expected: known ? describeValue(known) : 'a name without ":"',
      found: describeValue(wanted),
    });
  }

  private newName(kind: string): string {
    return `${kind}:${this.nextId++}`;
  }

  private addNode(opType: string, output: string, inputs: readonly Value[], result: NodeResult): void {
    this.nodeNames.add(output);
    this.nodes.push({
      input: inputs.map(({ name }) => name),
      output: [output],
      name: output,
      opType,
      domain: '',
      attribute: result.attributes ?? [],
    });
  }
}

function tensorProto({ name, elementType, shape }: Value, rawData: Uint8Array): TensorProto {
  const dims = shape as readonly number[];
  return { dims, dataType: elementTypeCode(elementType), name, rawData, dataLocation: 0 };
}

function describeValue({ elementType, shape, requiresGradient }: Value): string {
  return `${elementType} ${formatShape(shape)}${requiresGradient ? ' with gradient' : ''}`;
}

function checkSizes(wanted: readonly Value[], given: ReadonlyMap<string, Float32Array>): void {
  const wrong = wanted.flatMap(({ name, shape }) => {
    const data = given.get(name);
    return data && data.length !== elementCount(shape)
      ? [`'${name}' ${formatShape(shape)} got ${data.length} values`]
      : [];
  });
  if (wrong.length > 0) {
    throw new Ncs4cvrError('GRAPH_PARAMETER_SIZE', 'parameter values do not fit their shapes', {
      found: wrong.join('; '),
    });
  }
}
