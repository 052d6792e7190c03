import type { GraphProto, NodeProto } from '../onnx/onnxSchema.ts';

/** The graph without nodes and constants that no output depends on. Its inputs stay. */
export function withoutUnused(graph: GraphProto): GraphProto {
  const used = new Set(graph.output.map(({ name }) => name));
  const node: NodeProto[] = [];
  for (const each of graph.node.toReversed()) {
    if (!each.output.some((name) => used.has(name))) continue;
    node.push(each);
    for (const name of each.input) used.add(name);
  }
  return {
    ...graph,
    node: node.reverse(),
    initializer: graph.initializer.filter(({ name }) => used.has(name)),
  };
}
