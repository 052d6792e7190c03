import { type AttributeProto, attributeType, type ElementType } from './onnxSchema.ts';
import type { Shape } from './shapes.ts';

/** A tensor of a graph under construction; compared by identity. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
  readonly elementType: ElementType;
  /** True when it is trainable, or is computed from something that is. */
  readonly requiresGradient: boolean;
}

export interface NodeResult {
  readonly shape: Shape;
  /** Default float32. */
  readonly elementType?: ElementType;
  readonly attributes?: readonly AttributeProto[];
}

/** What an op table row needs of the graph builder: plain ONNX nodes and constants. */
export interface NodeEmitter {
  /** Adds one ONNX node of the standard operator set. The result never requires a gradient. */
  node(opType: string, inputs: readonly Value[], result: NodeResult): Value;
  constant(data: Float32Array | Int32Array | BigInt64Array, shape: Shape): Value;
  /** A float32 constant of shape []. */
  scalar(value: number): Value;
  /** An int64 constant of shape [values.length]: axes, bounds, shapes. */
  int64(values: readonly number[]): Value;
}

/** One use of a row: what backward may look at. */
export interface OpCall<Inputs extends readonly Value[], Attributes> {
  readonly inputs: Inputs;
  readonly attributes: Attributes;
  readonly output: Value;
}

interface Forward<Inputs extends readonly Value[], Attributes> {
  /** Adds the nodes that compute the op; checks shapes (GRAPH_SHAPE_MISMATCH). */
  forward(emitter: NodeEmitter, inputs: Inputs, attributes: Attributes): Value;
}

interface Backward<Inputs extends readonly Value[], Attributes> {
  /**
   * Adds the nodes that turn `gradient`, dL/d(output), into dL/d(inputs[inputIndex]), of that input's shape.
   * Called only for inputs that lead to a value whose gradient is wanted.
   */
  backward(
    emitter: NodeEmitter,
    call: OpCall<Inputs, Attributes>,
    gradient: Value,
    inputIndex: number,
  ): Value;
}

/**
 * A row of the op table. `gradient` says what reverse mode does with it: 'exact' runs `backward`, 'stopped' treats the
 * output as a constant, 'unavailable' is an error (GRAPH_OP_NOT_DIFFERENTIABLE).
 */
export type OpDefinition<Inputs extends readonly Value[], Attributes> =
  | ({ readonly gradient: 'exact' } & Forward<Inputs, Attributes> & Backward<Inputs, Attributes>)
  | ({ readonly gradient: 'stopped' | 'unavailable' } & Forward<Inputs, Attributes>);

export type Unary = readonly [Value];
export type Binary = readonly [Value, Value];
export type NoAttributes = Record<string, never>;

export function intAttribute(name: string, value: number): AttributeProto {
  return { name, type: attributeType.int, i: value };
}

export function intsAttribute(name: string, value: readonly number[]): AttributeProto {
  return { name, type: attributeType.ints, ints: value };
}
