import { valueInfoOf } from '../onnx/modelProto.ts';
import type { ModelProto } from '../onnx/onnxSchema.ts';

/** What the output is called that shows a tensor of the graph. */
export const observedName = (tensor: string): string => `observed:${tensor}`;

/** The model with further outputs that show float32 [B, columns] tensors of the graph, its inputs among them. */
export function observeTensors(model: ModelProto, tensors: readonly string[]): ModelProto {
  const { graph } = model;
  const copies = tensors.map((tensor) => ({
    input: [tensor],
    output: [observedName(tensor)],
    name: observedName(tensor),
    opType: 'Identity',
    domain: '',
    attribute: [],
  }));
  const outputs = tensors.map((tensor, index) =>
    valueInfoOf({ name: observedName(tensor), elementType: 'float32', shape: ['B', `columns${index}`] }),
  );
  return {
    ...model,
    graph: { ...graph, node: [...graph.node, ...copies], output: [...graph.output, ...outputs] },
  };
}
