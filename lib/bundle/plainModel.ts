import { Ncs4cvrError } from '../base/errors.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { decodeModel, encodeModel, MAX_TENSOR_BYTES } from '../onnx/modelProto.ts';
import type { GraphProto, NodeProto } from '../onnx/onnxSchema.ts';
import { intAttribute } from '../onnx/opDefinition.ts';
import { concat, matmul, relu, reshape, slice, transposeLast } from '../onnx/ops.ts';
import { EMBEDDINGS, embedFields } from './buildPlainGraph.ts';
import type { EmbeddingTable } from './embeddingTable.ts';
import { type GatheredInput, type GatherPlan, gatheredWidth } from './gatherPlan.ts';
import { DENSE } from './modelInterface.ts';
import { COLUMNS_KEY, plainColumns } from './plainColumns.ts';
import type { GatheredModel } from './scoringSession.ts';
import { denseWeight, readLayer } from './sparseLayers.ts';
import { tableReader } from './tableReader.ts';

/**
 * The whole of a bundle's model as one ordinary ONNX file: it takes row ids (EncodedRows), looks embeddings up, pools lists, and
 * goes on as model.onnx does. Its scores differ from the bundle's in rounding only. Its metadata tells which column is what.
 * @throws Ncs4cvrError GRAPH_TOO_LARGE for tables that don't fit into one ONNX file
 */
export function plainModel({ modelBytes, inputs, tables }: GatheredModel, layout: FeatureLayout): Uint8Array {
  const embeddingWidth = tables[0]?.width ?? 0;
  refuseTooLarge(layout, embeddingWidth);
  const graph = new GraphBuilder();
  const fields = embedFields(graph, { layout, embeddingWidth });
  const parameters = new Map<string, Float32Array>();
  for (const input of inputs) {
    const gathered = gatherInput(graph, input, fields, layout, inputs);
    graph.output(gatheredName(input.name), applyLayers(graph, input, gathered, parameters));
  }
  if (fields !== undefined) parameters.set(EMBEDDINGS, jointTable(tables, layout, embeddingWidth));
  const metadata = { [COLUMNS_KEY]: JSON.stringify(plainColumns(layout)) };
  const front = decodeModel(graph.build({ parameters, metadata }));
  const model = decodeModel(modelBytes);
  return encodeModel({ ...front, graph: joinGraphs(renamed(front.graph), model.graph) });
}

const gatheredName = (input: string): string => `gathered.${input}`;

/** One input of model.onnx, [B, width], of the embeddings of all fields, [B, F, E], and the dense columns. */
function gatherInput(
  graph: GraphBuilder,
  input: GatheredInput,
  fields: Value | undefined,
  layout: FeatureLayout,
  plan: GatherPlan,
): Value {
  const parts = runsOf(input.blocks).map((run) => {
    const { chosen, from, to } = run;
    return reshape(graph, embeddingsOf(graph, run, fields!), ['B', chosen.length * (to - from)]);
  });
  if (input.columns.length > 0) {
    const dense = graph.input(DENSE, ['B', layout.denseWidth]);
    const isAll =
      input.columns.length === layout.denseWidth && input.columns.every((column, i) => column === i);
    parts.push(isAll ? dense : choose(graph, dense, input.columns));
  }
  if (input.products !== undefined) parts.push(multiplyBlocks(graph, input.products, fields!, plan));
  return reshape(graph, parts.length === 1 ? parts[0]! : concat(graph, parts, 1), [
    'B',
    gatheredWidth(input),
  ]);
}

/** The units of an input's layers, or what is gathered where it has none. */
function applyLayers(
  graph: GraphBuilder,
  { name, layers }: GatheredInput,
  gathered: Value,
  parameters: Map<string, Float32Array>,
): Value {
  let x = gathered;
  for (const [index, stored] of (layers ?? []).entries()) {
    const layer = readLayer(stored);
    const [inputs, units] = [x.shape[1] as number, layer.biases.length];
    const parameter = (role: string, shape: readonly number[], values: Float32Array) => {
      parameters.set(`${name}.${index}.${role}`, values);
      return graph.parameter(`${name}.${index}.${role}`, shape);
    };
    const weight = parameter('weight', [inputs, units], denseWeight(layer, inputs));
    const bias = parameter('bias', [units], layer.biases);
    x = relu(graph, graph.node('Gemm', [x, weight, bias], { shape: ['B', units] }));
  }
  return x;
}

/** The dot products of blocks, [B, pairs]: those of all that occur are computed, and the pairs chosen of them. */
function multiplyBlocks(
  graph: GraphBuilder,
  { input, pairs }: NonNullable<GatheredInput['products']>,
  fields: Value,
  plan: GatherPlan,
): Value {
  const { blocks } = plan.find(({ name }) => name === input)!;
  const used = [...new Set(pairs.flat())].sort((a, b) => a - b);
  const count = used.length;
  const runs = runsOf(used.map((block) => blocks[block]!)).map((run) => embeddingsOf(graph, run, fields));
  const rows = runs.length === 1 ? runs[0]! : concat(graph, runs, 1);
  const all = reshape(graph, matmul(graph, rows, transposeLast(graph, rows)), ['B', count ** 2]);
  const at = new Map(used.map((block, index) => [block, index]));
  return choose(
    graph,
    all,
    pairs.map(([left, right]) => at.get(left)! * count + at.get(right)!),
  );
}

/** Some fields' embeddings that take the same columns. */
interface FieldRun {
  readonly chosen: number[];
  readonly from: number;
  readonly to: number;
}

/** [B, chosen, to - from] */
function embeddingsOf(graph: GraphBuilder, { chosen, from, to }: FieldRun, fields: Value): Value {
  const [, fieldCount, width] = fields.shape as [string, number, number];
  const isAll = chosen.length === fieldCount && chosen.every((field, i) => field === i);
  const rows = isAll ? fields : choose(graph, fields, chosen);
  return from === 0 && to === width ? rows : slice(graph, rows, 2, from, to);
}

/** Blocks that follow each other and take the same columns. */
function runsOf(blocks: GatheredInput['blocks']): FieldRun[] {
  const runs: FieldRun[] = [];
  for (const { field, from, to } of blocks) {
    const last = runs.at(-1);
    if (last?.from === from && last.to === to) last.chosen.push(field);
    else runs.push({ chosen: [field], from, to });
  }
  return runs;
}

/** Positions of axis 1, which may repeat. */
function choose(graph: GraphBuilder, from: Value, positions: readonly number[]): Value {
  const [batch, , ...others] = from.shape;
  return graph.node('Gather', [from, graph.int64(positions)], {
    shape: [batch!, positions.length, ...others],
    attributes: [intAttribute('axis', 1)],
  });
}

/** float32 [R, E] of tables of any type. */
function jointTable(
  tables: readonly EmbeddingTable[],
  { embeddingRowCount }: FeatureLayout,
  width: number,
): Float32Array {
  const joint = new Float32Array(embeddingRowCount * width);
  for (const table of tables) {
    const { rowStart, rowCount } = table;
    const ids = Int32Array.from({ length: rowCount }, (_, row) => rowStart + row);
    const target = { data: joint.subarray(rowStart * width, (rowStart + rowCount) * width), width, at: 0 };
    tableReader(table, 0, width).copier({ ids, width: 1, position: 0 }, target)(rowCount);
  }
  return joint;
}

/** Every tensor of the look-up under a name of its own; those that the model reads, and its inputs, keep theirs. */
function renamed(graph: GraphProto): GraphProto {
  const kept = new Set([...graph.input, ...graph.output].map(({ name }) => name));
  const rename = (name: string) => (kept.has(name) ? name : `lookup.${name}`);
  return {
    ...graph,
    node: graph.node.map((node) => withNames(node, rename)),
    initializer: graph.initializer.map((tensor) => ({ ...tensor, name: rename(tensor.name) })),
  };
}

function joinGraphs(front: GraphProto, model: GraphProto): GraphProto {
  const inputs = new Set(model.input.map(({ name }) => name));
  const rename = (name: string) => (inputs.has(name) ? gatheredName(name) : name);
  return {
    ...model,
    input: front.input,
    node: [...front.node, ...model.node.map((node) => withNames(node, rename))],
    initializer: [...front.initializer, ...model.initializer],
  };
}

function withNames(node: NodeProto, rename: (name: string) => string): NodeProto {
  return { ...node, input: node.input.map(rename), output: node.output.map(rename), name: rename(node.name) };
}

/** Told before the memory for one large table is taken. */
function refuseTooLarge({ embeddingRowCount }: FeatureLayout, width: number): void {
  const sizeBytes = 4 * embeddingRowCount * width;
  if (sizeBytes <= MAX_TENSOR_BYTES) return;
  throw new Ncs4cvrError('GRAPH_TOO_LARGE', "the embeddings don't fit into one ONNX file", {
    expected: `at most ${MAX_TENSOR_BYTES} bytes`,
    found: `${sizeBytes} bytes, ${embeddingRowCount} rows of ${width}`,
  });
}
