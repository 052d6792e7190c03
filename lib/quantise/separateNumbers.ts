import { type GatheredInput, type GatherPlan, inputWidth } from '../bundle/gatherPlan.ts';
import { valueInfoOf } from '../onnx/modelProto.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnxSchema.ts';
import { withoutUnused } from './withoutUnused.ts';

/** A model and what is gathered for it. */
interface GatheredModel {
  readonly model: ModelProto;
  readonly inputs: GatherPlan;
}

/** What the input of an input's numbers is called. */
const numbersName = (input: string): string => `${input}.numbers`;

/**
 * The same model with an input of its own for the numeric columns that are gathered behind embeddings. Numbers reach ten times
 * as far as embeddings: on one grid with them, embeddings would be left with a few of the 256 integers. An input that is read
 * otherwise than by layers, and by slices of its embeddings, stays as it is.
 */
export function separateNumbers({ model, inputs }: GatheredModel): GatheredModel {
  let { graph } = model;
  const separated = inputs.flatMap((input): GatheredInput[] => {
    if (input.blocks.length === 0 || input.columns.length === 0) return [input];
    const changed = separate(graph, input);
    if (changed === undefined) return [input];
    graph = changed;
    return [
      { ...input, columns: [] },
      { ...input, name: numbersName(input.name), blocks: [] },
    ];
  });
  return { model: { ...model, graph: withoutUnused(graph) }, inputs: separated };
}

function separate(graph: GraphProto, input: GatheredInput): GraphProto | undefined {
  const { name, columns } = input;
  const fieldsWidth = inputWidth(input) - columns.length;
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const added: TensorProto[] = [];
  const node: NodeProto[] = [];
  for (const each of graph.node) {
    const weight = constants.get(each.input[1] ?? '');
    if (!each.input.includes(name)) node.push(each);
    else if (each.opType === 'Slice' && isWithin(each, constants, fieldsWidth)) node.push(each);
    else if (each.opType === 'Gemm' && each.input[0] === name && weight?.dims[0] === inputWidth(input)) {
      const [output] = each.output as [string];
      const [fields, numbers] = splitRows(weight, fieldsWidth, output);
      added.push(fields, numbers);
      const ofNumbers = `${output}.numbers`;
      node.push(
        {
          ...each,
          name: ofNumbers,
          output: [ofNumbers],
          input: [numbersName(name), numbers.name, each.input[2]!],
        },
        { ...each, input: [name, fields.name, ofNumbers] },
      );
    } else return undefined;
  }
  const inputOf = (inputName: string, width: number) =>
    valueInfoOf({ name: inputName, elementType: 'float32', shape: ['B', width] });
  return {
    ...graph,
    node,
    initializer: [...graph.initializer, ...added],
    input: graph.input.flatMap((each) =>
      each.name === name ? [inputOf(name, fieldsWidth), inputOf(numbersName(name), columns.length)] : [each],
    ),
  };
}

/** Does a Slice along the columns end within the first `width`? */
function isWithin(
  { input: [, starts, ends, axes] }: NodeProto,
  constants: ReadonlyMap<string, TensorProto>,
  width: number,
): boolean {
  const [start, end, axis] = [starts, ends, axes].map((name) => int64Of(constants.get(name ?? '')));
  return axis === 1 && start !== undefined && start >= 0 && end !== undefined && end >= 0 && end <= width;
}

/** The value of an int64 constant of one element. */
function int64Of(tensor: TensorProto | undefined): number | undefined {
  if (tensor?.rawData.length !== 8) return undefined;
  const { buffer, byteOffset } = tensor.rawData;
  return Number(new DataView(buffer, byteOffset).getBigInt64(0, true));
}

function splitRows(weight: TensorProto, rows: number, output: string): [TensorProto, TensorProto] {
  const [total, units] = weight.dims as [number, number];
  const at = 4 * rows * units;
  return [
    {
      ...weight,
      name: `${output}.fieldsWeight`,
      dims: [rows, units],
      rawData: weight.rawData.subarray(0, at),
    },
    {
      ...weight,
      name: `${output}.numbersWeight`,
      dims: [total - rows, units],
      rawData: weight.rawData.subarray(at),
    },
  ];
}
