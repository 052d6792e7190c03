// The subset of onnx.proto3's messages that we write and read, as plain objects.
import type { ElementType } from './elementType.ts';
import type { Shape } from './shapes.ts';

/** A node's attribute. `graph` and `graphs` hold subgraphs (If, Loop); 'unknown' is any other type, its value is dropped. */
export type Attribute =
  | { readonly name: string; readonly type: 'float' | 'int'; readonly value: number }
  | { readonly name: string; readonly type: 'floats' | 'ints'; readonly value: readonly number[] }
  | { readonly name: string; readonly type: 'string'; readonly value: string }
  | { readonly name: string; readonly type: 'graphs'; readonly value: readonly GraphProto[] }
  | { readonly name: string; readonly type: 'unknown' };

export interface NodeProto {
  readonly opType: string;
  /** '' and 'ai.onnx' are the standard operator set. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Attribute[];
}

export interface TensorProto {
  readonly name: string;
  readonly elementType: ElementType;
  readonly dims: readonly number[];
  /** Elements, little-endian, row-major. Read tensors: a view of the file's bytes; empty when stored in another way. */
  readonly rawData: Uint8Array;
  /** True when the elements lie in another file; never written by us. */
  readonly external: boolean;
}

export interface ValueInfo {
  readonly name: string;
  readonly elementType: ElementType;
  /** An unnamed unknown dimension reads as '?'. */
  readonly shape: Shape;
}

export interface GraphProto {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface ModelProto {
  readonly irVersion: number;
  readonly opsetImports: readonly { readonly domain: string; readonly version: number }[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly docString: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: GraphProto;
}
