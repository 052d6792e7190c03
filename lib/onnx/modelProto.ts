import { createRequire } from 'node:module';
import type { Type } from 'protobufjs';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { decodeMessage, messageType } from './decodeMessage.ts';
import type { ElementType, GraphProto, ModelProto, TensorProto, ValueInfoProto } from './onnxSchema.ts';
import { elementTypeCode, elementTypeOf, onnxSchema } from './onnxSchema.ts';
import type { Shape } from './shapes.ts';

/** Protobuf messages end at 2 GiB; the margin is for everything that isn't tensor data. */
export const MAX_TENSOR_BYTES = 2 ** 31 - 2 ** 24;

const require = createRequire(import.meta.url);
let writer: Type | undefined;

/** protobufjs's type of a model. Loaded by what writes models: to load it and read one takes 20 ms longer than `decodeMessage`. */
function modelWriter(): Type {
  const { Root } = require('protobufjs/light.js') as typeof import('protobufjs/light.js');
  writer ??= Root.fromJSON(onnxSchema).lookupType('onnx.ModelProto');
  return writer;
}

const modelType = messageType(onnxSchema, 'onnx', 'ModelProto');

/** Bytes of the .onnx file. Throws GRAPH_TOO_LARGE when the tensors don't fit into one protobuf message. */
export function encodeModel(model: ModelProto): Uint8Array {
  const tensorBytes = model.graph.initializer.reduce((sum, tensor) => sum + tensor.rawData.byteLength, 0);
  if (tensorBytes > MAX_TENSOR_BYTES) {
    throw new Ncs4cvrError('GRAPH_TOO_LARGE', 'the tensors do not fit into one ONNX file', {
      expected: `at most ${MAX_TENSOR_BYTES} bytes`,
      found: `${tensorBytes} bytes`,
    });
  }
  return asPlainBytes(modelWriter().encode(model).finish());
}

/** Reads an .onnx file. Throws GRAPH_UNREADABLE when the bytes are no ONNX model. @param file what the error calls it */
export function decodeModel(bytes: Uint8Array, file?: string): ModelProto {
  let model: Omit<ModelProto, 'graph'> & { readonly graph: GraphProto | null };
  try {
    model = decodeMessage(asPlainBytes(bytes), modelType) as unknown as typeof model;
  } catch (cause) {
    throw unreadable(messageOf(cause), file, cause);
  }
  const { graph } = model;
  if (graph === null) throw unreadable('no graph', file);
  return { ...model, graph };
}

/** An input or output of a graph. */
export interface TensorInfo {
  readonly name: string;
  readonly elementType: ElementType;
  /** An unnamed unknown dimension reads as '?'. */
  readonly shape: Shape;
}

export function valueInfoOf({ name, elementType, shape }: TensorInfo): ValueInfoProto {
  const dim = shape.map((length) =>
    typeof length === 'string' ? { dimParam: length } : { dimValue: length },
  );
  return { name, type: { tensorType: { elemType: elementTypeCode(elementType), shape: { dim } } } };
}

/** The inverse of valueInfoOf. */
export function tensorInfoOf({ name, type }: ValueInfoProto): TensorInfo {
  const tensor = type?.tensorType;
  const dim = tensor?.shape?.dim ?? [];
  return {
    name,
    elementType: elementTypeOf(tensor?.elemType ?? 0),
    shape: dim.map(({ dimValue, dimParam }) => dimValue ?? (dimParam || '?')),
  };
}

/**
 * The same file with one more entry of its metadata. What a model of others holds beyond `onnxSchema` would be lost by reading
 * and writing it: the entry is appended, as a protobuf message may be.
 */
export function appendMetadata(bytes: Uint8Array, key: string, value: string): Uint8Array {
  const entry = modelWriter()
    .encode({ metadataProps: [{ key, value }] })
    .finish();
  const longer = new Uint8Array(bytes.length + entry.length);
  longer.set(bytes);
  longer.set(entry, bytes.length);
  return longer;
}

/** Names of the tensors of a graph, those of attributes and subgraphs included, whose data lies in another file. */
export function externalTensorsOf(graph: GraphProto): string[] {
  const ofNodes = graph.node.flatMap(({ attribute }) =>
    attribute.flatMap(({ t, tensors = [], g, graphs = [] }) => [
      ...[...(t ? [t] : []), ...tensors].filter(isExternal).map(({ name }) => name),
      ...[...(g ? [g] : []), ...graphs].flatMap(externalTensorsOf),
    ]),
  );
  return [...graph.initializer.filter(isExternal).map(({ name }) => name), ...ofNodes];
}

function isExternal({ dataLocation }: TensorProto): boolean {
  return dataLocation !== 0;
}

/** Every (domain, operator) that a graph uses, once each, those of subgraphs included. */
export function operatorsOf(graph: GraphProto): { readonly domain: string; readonly opType: string }[] {
  const found = new Map<string, { domain: string; opType: string }>();
  const visit = ({ node }: GraphProto): void => {
    for (const { domain, opType, attribute } of node) {
      found.set(`${domain}:${opType}`, { domain, opType });
      for (const { g, graphs = [] } of attribute) for (const inner of g ? [g] : graphs) visit(inner);
    }
  };
  visit(graph);
  return [...found.values()];
}

function unreadable(found: string, file: string | undefined, cause?: unknown): Ncs4cvrError {
  return new Ncs4cvrError('GRAPH_UNREADABLE', 'not an ONNX model', {
    ...{ found, cause },
    ...(file === undefined ? {} : { file }),
  });
}

/** The same memory without Buffer's methods: Buffer.slice shares memory where Uint8Array.slice copies. */
function asPlainBytes({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
