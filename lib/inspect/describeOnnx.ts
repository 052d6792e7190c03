import { StorageError } from '../base/errors.ts';
import { decodeModel, operatorsOf, type TensorInfo, tensorInfoOf } from '../onnx/modelProto.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import type { Description } from './description.ts';

/** Such files are decoded whole; a protobuf message ends at 2 GiB. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * An ONNX file's inputs, outputs and operators. Whether ONNX Runtime accepts it is not asked.
 * @throws Ncs4cvrError GRAPH_UNREADABLE; StorageError INSPECT_UNKNOWN for one that can't be an ONNX file
 */
export async function describeOnnx(file: RandomAccessFile): Promise<Description> {
  const { uri, sizeBytes } = file;
  if (sizeBytes > MOST_BYTES) {
    throw new StorageError('INSPECT_UNKNOWN', 'larger than an ONNX file can be', {
      file: uri,
      expected: `at most ${MOST_BYTES} bytes`,
      found: `${sizeBytes} bytes`,
    });
  }
  const bytes = new Uint8Array(sizeBytes);
  await file.readInto(bytes, 0);
  const { graph } = decodeModel(bytes);
  const operators = operatorsOf(graph).map(({ domain, opType }) =>
    domain === '' ? opType : `${domain}.${opType}`,
  );
  const constants = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.map(tensorInfoOf).filter(({ name }) => !constants.has(name));
  const row =
    (what: string) =>
    ({ name, elementType, shape }: TensorInfo) => [what, name, elementType, shape.join(' x ')];
  return {
    kind: 'ONNX model',
    uri,
    facts: {
      size: `${sizeBytes} bytes`,
      nodes: graph.node.length,
      operators: operators.sort().join(', '),
      constants: `${graph.initializer.length}`,
    },
    tables: {
      tensors: [
        ['', 'name', 'type', 'shape'],
        ...inputs.map(row('input')),
        ...graph.output.map(tensorInfoOf).map(row('output')),
      ],
    },
  };
}
