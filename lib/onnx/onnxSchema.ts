import type { INamespace } from 'protobufjs';

/**
 * The part of the ONNX file format that this project writes and reads, as a protobufjs JSON descriptor. Names (in camel
 * case) and field numbers: onnx/onnx.proto3 of github.com/onnx/onnx. Fields that aren't listed are skipped on reading.
 * The interfaces below are its messages as protobufjs takes and `decodeMessage` gives them; a field that a file lacks is read as
 * its default (0, '', [], or null for a message).
 */
export const onnxSchema: INamespace = {
  nested: {
    onnx: {
      edition: 'proto3',
      nested: {
        ModelProto: {
          fields: {
            irVersion: { type: 'int64', id: 1 },
            producerName: { type: 'string', id: 2 },
            graph: { type: 'GraphProto', id: 7 },
            opsetImport: { rule: 'repeated', type: 'OperatorSetIdProto', id: 8 },
            metadataProps: { rule: 'repeated', type: 'StringStringEntryProto', id: 14 },
            functions: { rule: 'repeated', type: 'bytes', id: 25 },
          },
        },
        StringStringEntryProto: {
          fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } },
        },
        OperatorSetIdProto: {
          fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } },
        },
        GraphProto: {
          fields: {
            node: { rule: 'repeated', type: 'NodeProto', id: 1 },
            name: { type: 'string', id: 2 },
            initializer: { rule: 'repeated', type: 'TensorProto', id: 5 },
            sparseInitializer: { rule: 'repeated', type: 'bytes', id: 15 },
            input: { rule: 'repeated', type: 'ValueInfoProto', id: 11 },
            output: { rule: 'repeated', type: 'ValueInfoProto', id: 12 },
          },
        },
        NodeProto: {
          fields: {
            input: { rule: 'repeated', type: 'string', id: 1 },
            output: { rule: 'repeated', type: 'string', id: 2 },
            name: { type: 'string', id: 3 },
            opType: { type: 'string', id: 4 },
            attribute: { rule: 'repeated', type: 'AttributeProto', id: 5 },
            domain: { type: 'string', id: 7 },
          },
        },
        AttributeProto: {
          fields: {
            name: { type: 'string', id: 1 },
            f: { type: 'float', id: 2 },
            i: { type: 'int64', id: 3 },
            s: { type: 'bytes', id: 4 },
            t: { type: 'TensorProto', id: 5 },
            g: { type: 'GraphProto', id: 6 },
            floats: { rule: 'repeated', type: 'float', id: 7 },
            ints: { rule: 'repeated', type: 'int64', id: 8 },
            tensors: { rule: 'repeated', type: 'TensorProto', id: 10 },
            graphs: { rule: 'repeated', type: 'GraphProto', id: 11 },
            type: { type: 'int32', id: 20 },
          },
        },
        TensorProto: {
          fields: {
            dims: { rule: 'repeated', type: 'int64', id: 1 },
            dataType: { type: 'int32', id: 2 },
            name: { type: 'string', id: 8 },
            rawData: { type: 'bytes', id: 9 },
            dataLocation: { type: 'int32', id: 14 },
          },
        },
        ValueInfoProto: {
          fields: { name: { type: 'string', id: 1 }, type: { type: 'TypeProto', id: 2 } },
        },
        TypeProto: {
          fields: { tensorType: { type: 'TensorTypeProto', id: 1 } },
        },
        // TypeProto.Tensor in onnx.proto3; the name isn't on the wire.
        TensorTypeProto: {
          fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'TensorShapeProto', id: 2 } },
        },
        TensorShapeProto: {
          fields: { dim: { rule: 'repeated', type: 'Dimension', id: 1 } },
        },
        // TensorShapeProto.Dimension in onnx.proto3.
        Dimension: {
          oneofs: { value: { oneof: ['dimValue', 'dimParam'] } },
          fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } },
        },
      },
    },
  },
};

export interface ModelProto {
  readonly irVersion: number;
  readonly producerName: string;
  readonly graph: GraphProto;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  /** What a producer has to say beside the graph. */
  readonly metadataProps?: readonly { readonly key: string; readonly value: string }[];
  /** FunctionProto messages, not decoded: operators that the model defines. This project writes none. */
  readonly functions?: readonly Uint8Array[];
}

export interface GraphProto {
  readonly name: string;
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  /** SparseTensorProto messages, not decoded. This project writes none. */
  readonly sparseInitializer?: readonly Uint8Array[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
}

export interface NodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  /** '' and 'ai.onnx' are the standard operator set. */
  readonly domain: string;
  readonly attribute: readonly AttributeProto[];
}

/** `type` says which of the values counts. `t` and `tensors` are constants, `g` and `graphs` subgraphs (If, Loop). */
export interface AttributeProto {
  readonly name: string;
  /** AttributeProto.AttributeType of onnx.proto3, such as `attributeType.int`. */
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly t?: TensorProto | null;
  readonly g?: GraphProto | null;
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
  readonly tensors?: readonly TensorProto[];
  readonly graphs?: readonly GraphProto[];
}
export const attributeType = { int: 2, ints: 7 } as const;

export interface TensorProto {
  readonly dims: readonly number[];
  /** See `elementTypeCode`. */
  readonly dataType: number;
  readonly name: string;
  /**
   * Elements, little-endian, row-major. Of a tensor that was read: a view of the file's bytes, or empty when it is
   * stored in another way.
   */
  readonly rawData: Uint8Array;
  /** 0: here; anything else: in another file. */
  readonly dataLocation: number;
}

export interface ValueInfoProto {
  readonly name: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape: {
        readonly dim: readonly { readonly dimValue?: number; readonly dimParam?: string }[];
      } | null;
    } | null;
  } | null;
}

/** Index = TensorProto.DataType of onnx.proto3. */
const elementTypes = [
  'undefined',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
] as const;

/** Type of a tensor's elements; 'undefined' stands for one that isn't known here. */
export type ElementType = (typeof elementTypes)[number];

/** TensorProto.DataType of onnx.proto3, also the Cast node's `to`. */
export function elementTypeCode(type: ElementType): number {
  return elementTypes.indexOf(type);
}

/** The inverse of elementTypeCode. */
export function elementTypeOf(code: number): ElementType {
  return elementTypes[code] ?? 'undefined';
}
