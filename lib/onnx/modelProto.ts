import protobuf from 'protobufjs/light.js';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import type { GraphProto, ModelProto } from './modelMessages.ts';
import { onnxSchema } from './onnxSchema.ts';
import { asPlainBytes, graphFromWire, modelToWire, type WireModel } from './wireFormat.ts';

/** Protobuf messages end at 2 GiB; the margin is for everything that isn't tensor data. */
export const MAX_TENSOR_BYTES = 2 ** 31 - 2 ** 24;

const modelType = protobuf.Root.fromJSON(onnxSchema).lookupType('onnx.ModelProto');

/** Bytes of the .onnx file. Throws GRAPH_TOO_LARGE when the tensors don't fit into one protobuf message. */
export function encodeModel(model: ModelProto): Uint8Array {
  const tensorBytes = model.graph.initializers.reduce((sum, tensor) => sum + tensor.rawData.byteLength, 0);
  if (tensorBytes > MAX_TENSOR_BYTES) {
    throw new Ncs4cvrError('GRAPH_TOO_LARGE', 'the tensors do not fit into one ONNX file', {
      expected: `at most ${MAX_TENSOR_BYTES} bytes`,
      found: `${tensorBytes} bytes`,
    });
  }
  return asPlainBytes(modelType.encode(modelToWire(model)).finish());
}

/** Reads an .onnx file. Throws GRAPH_UNREADABLE when the bytes are no ONNX model. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  let wire: WireModel;
  try {
    // `defaults` fills absent fields, so that the wire types below are honest.
    wire = modelType.toObject(modelType.decode(bytes), { longs: Number, defaults: true }) as WireModel;
  } catch (cause) {
    throw unreadable(messageOf(cause), cause);
  }
  if (!wire.graph) throw unreadable('no graph');
  return {
    irVersion: wire.irVersion,
    opsetImports: wire.opsetImport,
    producerName: wire.producerName,
    producerVersion: wire.producerVersion,
    docString: wire.docString,
    metadata: new Map(wire.metadataProps.map(({ key, value }) => [key, value])),
    graph: graphFromWire(wire.graph),
  };
}

/** Every (domain, operator) a graph uses, once each, those of subgraphs included. */
export function operatorsOf(graph: GraphProto): { readonly domain: string; readonly opType: string }[] {
  const found = new Map<string, { domain: string; opType: string }>();
  const visit = ({ nodes }: GraphProto): void => {
    for (const { domain, opType, attributes } of nodes) {
      found.set(`${domain}:${opType}`, { domain, opType });
      for (const attribute of attributes) if (attribute.type === 'graphs') attribute.value.forEach(visit);
    }
  };
  visit(graph);
  return [...found.values()];
}

function unreadable(found: string, cause?: unknown): Ncs4cvrError {
  return new Ncs4cvrError('GRAPH_UNREADABLE', 'not an ONNX model', { found, cause });
}
