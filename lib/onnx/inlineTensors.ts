import protobuf from 'protobufjs/light.js';
import { concatenated } from '../base/concatenated.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { MAX_TENSOR_BYTES } from './modelProto.ts';

/** Where a tensor's bytes lie, as TensorProto.external_data says. */
export interface ExternalData {
  /** Of the tensor. */
  readonly name: string;
  /** Path relative to the model's folder, not checked. */
  readonly location: string;
  /** 0 where it isn't said. */
  readonly startByte: number;
  /** To the end of the file where it isn't said. */
  readonly sizeBytes: number | undefined;
}

/** Field numbers of onnx.proto3. */
const FIELDS = {
  model: { graph: 7 },
  graph: { initializer: 5 },
  tensor: { name: 8, rawData: 9, externalData: 13, dataLocation: 14 },
  entry: { key: 1, value: 2 },
} as const;
const LENGTH_DELIMITED = 2;
const EXTERNAL = 1;

/**
 * The same file with the bytes of its initializers in it that lie in other files. Every other byte stays as it is: what a model of
 * others holds beyond `onnxSchema` would be lost by reading and writing it. Tensors of attributes and of graphs within the graph
 * are left alone.
 * @param read gives a tensor's bytes
 * @param file of the model, for errors
 * @throws Ncs4cvrError GRAPH_TOO_LARGE before anything is read, where sizes are said, and else once it is known
 */
export async function inlineTensors(
  modelBytes: Uint8Array,
  read: (data: ExternalData) => Promise<Uint8Array>,
  file: string,
): Promise<Uint8Array> {
  refuseLarge(modelBytes.length + sizeBytesOf(modelBytes), file);
  const pieces = await withField(modelBytes, FIELDS.model.graph, (graph) =>
    withField(graph, FIELDS.graph.initializer, async (tensor) => {
      const data = externalDataOf(tensor);
      return data === undefined ? [tensor] : inlined(tensor, await read(data));
    }),
  );
  refuseLarge(lengthOf(pieces), file);
  return concatenated(pieces, (length) => new Uint8Array(length));
}

/** Of all initializers that lie in other files and say how large they are. */
function sizeBytesOf(modelBytes: Uint8Array): number {
  let sum = 0;
  for (const graph of fieldsOf(modelBytes, FIELDS.model.graph)) {
    for (const tensor of fieldsOf(graph.value, FIELDS.graph.initializer)) {
      const { sizeBytes = 0 } = externalDataOf(tensor.value) ?? {};
      // What is no size is refused by whoever reads it, with the tensor's name.
      if (sizeBytes > 0) sum += sizeBytes;
    }
  }
  return sum;
}

function refuseLarge(sizeBytes: number, file: string): void {
  if (sizeBytes <= MAX_TENSOR_BYTES) return;
  throw new Ncs4cvrError('GRAPH_TOO_LARGE', 'the model and its data do not fit into one ONNX file', {
    file,
    expected: `at most ${MAX_TENSOR_BYTES} bytes`,
    found: `${sizeBytes} bytes`,
  });
}

function externalDataOf(tensor: Uint8Array): ExternalData | undefined {
  const { name, externalData, dataLocation } = FIELDS.tensor;
  const location = fieldsOf(tensor, dataLocation).at(-1);
  if (location === undefined || location.number !== EXTERNAL) return undefined;
  const entries = new Map(
    fieldsOf(tensor, externalData).map(({ value }) => [
      textOf(value, FIELDS.entry.key),
      textOf(value, FIELDS.entry.value),
    ]),
  );
  const length = entries.get('length');
  return {
    name: textOf(tensor, name),
    location: entries.get('location') ?? '',
    startByte: Number(entries.get('offset') ?? 0),
    sizeBytes: length === undefined ? undefined : Number(length),
  };
}

function inlined(tensor: Uint8Array, data: Uint8Array): Uint8Array[] {
  const { rawData, externalData, dataLocation } = FIELDS.tensor;
  const gone: readonly number[] = [rawData, externalData, dataLocation];
  const kept = fieldsOf(tensor)
    .filter(({ field }) => !gone.includes(field))
    .map(({ whole }) => whole);
  return [...kept, headOf(rawData, data.length), data];
}

/** A message with each value of one of its fields replaced, in pieces. */
async function withField(
  message: Uint8Array,
  field: number,
  change: (value: Uint8Array) => Promise<readonly Uint8Array[]>,
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for (const each of fieldsOf(message)) {
    if (each.field !== field) {
      pieces.push(each.whole);
      continue;
    }
    const changed = await change(each.value);
    pieces.push(headOf(field, lengthOf(changed)), ...changed);
  }
  return pieces;
}

interface Field {
  readonly field: number;
  /** Tag, length and value. */
  readonly whole: Uint8Array;
  /** Of a length-delimited field; empty for others. */
  readonly value: Uint8Array;
  /** Of a varint; 0 for others. */
  readonly number: number;
}

/** The fields of a message in their order. @param only of this number */
function fieldsOf(message: Uint8Array, only?: number): Field[] {
  const reader = protobuf.Reader.create(message);
  const found: Field[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const [field, wireType] = [tag >>> 3, tag & 7];
    const isText = wireType === LENGTH_DELIMITED;
    const sizeBytes = isText ? reader.uint32() : 0;
    const valueStart = reader.pos;
    const isVarint = wireType === 0;
    const number = isVarint ? reader.uint32() : 0;
    if (isText) reader.skip(sizeBytes);
    else if (!isVarint) reader.skipType(wireType);
    if (only !== undefined && field !== only) continue;
    const value = isText ? message.subarray(valueStart, reader.pos) : new Uint8Array();
    found.push({ field, whole: message.subarray(start, reader.pos), value, number });
  }
  return found;
}

function textOf(message: Uint8Array, field: number): string {
  return new TextDecoder().decode(fieldsOf(message, field).at(-1)?.value);
}

/** Tag and length of a length-delimited field. */
function headOf(field: number, sizeBytes: number): Uint8Array {
  return protobuf.Writer.create()
    .uint32((field << 3) | LENGTH_DELIMITED)
    .uint32(sizeBytes)
    .finish();
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
