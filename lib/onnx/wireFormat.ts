// Messages as protobufjs sees them (field names of onnxSchema.ts), and the way to our own types and back.
import { Ncs4cvrError } from '../base/errors.ts';
import { elementTypeCode, elementTypeOf } from './elementType.ts';
import type { Attribute, GraphProto, ModelProto, ValueInfo } from './modelMessages.ts';

interface WireTensor {
  dims: readonly number[];
  dataType: number;
  name: string;
  rawData: Uint8Array;
  dataLocation: number;
}

interface WireAttribute {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  g?: WireGraph | null;
  floats?: readonly number[];
  ints?: readonly number[];
  graphs?: readonly WireGraph[];
}

interface WireNode {
  input: readonly string[];
  output: readonly string[];
  name: string;
  opType: string;
  domain: string;
  attribute: readonly WireAttribute[];
}

interface WireDimension {
  dimValue?: number;
  dimParam?: string;
}

interface WireValueInfo {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: readonly WireDimension[] } | null } | null } | null;
}

interface WireGraph {
  name: string;
  node: readonly WireNode[];
  initializer: readonly WireTensor[];
  input: readonly WireValueInfo[];
  output: readonly WireValueInfo[];
}

export interface WireModel {
  irVersion: number;
  opsetImport: readonly { domain: string; version: number }[];
  producerName: string;
  producerVersion: string;
  docString: string;
  metadataProps: readonly { key: string; value: string }[];
  graph: WireGraph | null;
}

/** AttributeProto.AttributeType of onnx.proto3. */
const attributeCode = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7, graphs: 10 } as const;

/** Shares the tensors' bytes with the model. */
export function modelToWire(model: ModelProto): WireModel {
  return {
    irVersion: model.irVersion,
    opsetImport: model.opsetImports,
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    docString: model.docString,
    metadataProps: [...model.metadata].map(([key, value]) => ({ key, value })),
    graph: graphToWire(model.graph),
  };
}

function graphToWire(graph: GraphProto): WireGraph {
  return {
    name: graph.name,
    node: graph.nodes.map((node) => ({
      input: node.inputs,
      output: node.outputs,
      name: node.name,
      opType: node.opType,
      domain: node.domain,
      attribute: node.attributes.map(attributeToWire),
    })),
    initializer: graph.initializers.map((tensor) => ({
      dims: tensor.dims,
      dataType: elementTypeCode(tensor.elementType),
      name: tensor.name,
      rawData: tensor.rawData,
      dataLocation: 0,
    })),
    input: graph.inputs.map(valueInfoToWire),
    output: graph.outputs.map(valueInfoToWire),
  };
}

function attributeToWire(attribute: Attribute): WireAttribute {
  const { name } = attribute;
  switch (attribute.type) {
    case 'float':
      return { name, type: attributeCode.float, f: attribute.value };
    case 'int':
      return { name, type: attributeCode.int, i: attribute.value };
    case 'floats':
      return { name, type: attributeCode.floats, floats: attribute.value };
    case 'ints':
      return { name, type: attributeCode.ints, ints: attribute.value };
    case 'string':
      return { name, type: attributeCode.string, s: Buffer.from(attribute.value, 'utf8') };
    default:
      throw new Ncs4cvrError('GRAPH_ATTRIBUTE_UNSUPPORTED', `attribute '${name}' can't be written`, {
        expected: 'numbers or text',
        found: attribute.type,
      });
  }
}

function valueInfoToWire({ name, elementType, shape }: ValueInfo): WireValueInfo {
  const dim = shape.map((dimension) =>
    typeof dimension === 'string' ? { dimParam: dimension } : { dimValue: dimension },
  );
  return { name, type: { tensorType: { elemType: elementTypeCode(elementType), shape: { dim } } } };
}

/** Shares the tensors' bytes with the message. */
export function graphFromWire(wire: WireGraph): GraphProto {
  return {
    name: wire.name,
    nodes: wire.node.map((node) => ({
      opType: node.opType,
      domain: node.domain,
      name: node.name,
      inputs: node.input,
      outputs: node.output,
      attributes: node.attribute.map(attributeFromWire),
    })),
    initializers: wire.initializer.map((tensor) => ({
      name: tensor.name,
      elementType: elementTypeOf(tensor.dataType),
      dims: tensor.dims,
      rawData: asPlainBytes(tensor.rawData),
      external: tensor.dataLocation !== 0,
    })),
    inputs: wire.input.map(valueInfoFromWire),
    outputs: wire.output.map(valueInfoFromWire),
  };
}

function attributeFromWire({ name, type, f, i, s, g, floats, ints, graphs }: WireAttribute): Attribute {
  switch (type) {
    case attributeCode.float:
      return { name, type: 'float', value: f ?? 0 };
    case attributeCode.int:
      return { name, type: 'int', value: i ?? 0 };
    case attributeCode.string:
      return { name, type: 'string', value: Buffer.from(s ?? []).toString('utf8') };
    case attributeCode.floats:
      return { name, type: 'floats', value: floats ?? [] };
    case attributeCode.ints:
      return { name, type: 'ints', value: ints ?? [] };
    case attributeCode.graph:
      return { name, type: 'graphs', value: g ? [graphFromWire(g)] : [] };
    case attributeCode.graphs:
      return { name, type: 'graphs', value: (graphs ?? []).map(graphFromWire) };
    default:
      return { name, type: 'unknown' };
  }
}

function valueInfoFromWire({ name, type }: WireValueInfo): ValueInfo {
  const tensor = type?.tensorType;
  return {
    name,
    elementType: elementTypeOf(tensor?.elemType ?? 0),
    shape: (tensor?.shape?.dim ?? []).map(({ dimValue, dimParam }) => dimValue ?? (dimParam || '?')),
  };
}

/** The same memory without Buffer's methods: Buffer.slice shares memory where Uint8Array.slice copies. */
export function asPlainBytes({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
