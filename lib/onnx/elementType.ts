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

/** Type of a tensor's elements; 'undefined' stands for one that this reader doesn't know. */
export type ElementType = (typeof elementTypes)[number];

/** TensorProto.DataType of onnx.proto3, as the Cast node's `to` wants it. */
export function elementTypeCode(type: ElementType): number {
  return elementTypes.indexOf(type);
}

/** The inverse of elementTypeCode. */
export function elementTypeOf(code: number): ElementType {
  return elementTypes[code] ?? 'undefined';
}
