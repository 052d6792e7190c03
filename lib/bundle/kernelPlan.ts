import type { SharedMemory } from '../base/webAssembly.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout, ListField } from '../features/featureLayout.ts';
import { type InputProducts, productsOf } from './embeddingProducts.ts';
import type { EmbeddingTable } from './embeddingTable.ts';
import { type GatherPlan, gatheredWidth } from './gatherPlan.ts';
import { ELEMENT_BYTES, type StoredElement } from './safetensors.ts';
import { readLayer, type SparseLayer } from './sparseLayers.ts';

/** Columns of a list that a kernel sums in one pass. */
const PASS_COLUMNS = 16;
/** Of larger tables, rows are read ahead of being summed: few of them are in the processor's second cache. */
const NEAR_BYTES = 1 << 20;

/** Rows that kernels/layerKernels.ts computes together. */
export const LAYER_ROWS = 16;

/** int32 of each block and each list that the kernels are given, in the order of the functions below. */
export const BLOCK_LENGTH = 9;
export const LIST_LENGTH = 12;

/** Columns that a kernel writes to an input: of a field, whose means it has if it is a list, or of the dense ones. */
interface KernelBlock {
  readonly input: number;
  /** First column of the input's rows. */
  readonly at: number;
  /** undefined: of the dense columns. */
  readonly field: number | undefined;
  readonly from: number;
  readonly count: number;
}

/** A list whose means are taken of columns [from, to), all that some input has of it. */
interface KernelList {
  readonly field: number;
  readonly list: ListField;
  readonly from: number;
  readonly to: number;
}

/** Layers whose units an input has in place of what is gathered. */
interface LayeredInput {
  readonly input: number;
  readonly layers: readonly SparseLayer[];
}

/** What kernels do for a plan. */
export interface KernelPlan {
  readonly memory: SharedMemory;
  /** Numbers per row that are gathered for each input. */
  readonly widths: readonly number[];
  readonly blocks: readonly KernelBlock[];
  readonly lists: readonly KernelList[];
  readonly products: readonly InputProducts[];
  readonly layered: readonly LayeredInput[];
  /** Inputs for which kernels do everything. */
  readonly whole: ReadonlySet<number>;
  readonly tables: ReadonlyMap<number, EmbeddingTable>;
}

/** Numbers per row of a list's means: whole fours, as the kernels write them. */
export function meanWidth({ from, to }: KernelList): number {
  return 4 * Math.ceil((to - from) / 4);
}

export function passCount({ from, to }: KernelList): number {
  return Math.ceil((to - from) / PASS_COLUMNS);
}

/**
 * What kernels can gather: fields whose tables lie in memory that they read, and the dense columns.
 * @returns undefined for no such field
 */
export function kernelPlan(
  plan: GatherPlan,
  layout: FeatureLayout,
  tables: readonly EmbeddingTable[],
): KernelPlan | undefined {
  const memory = tables.find((table) => table.memory !== undefined)?.memory;
  if (memory === undefined) return undefined;
  const byStart = new Map(tables.map((table) => [table.rowStart, table]));
  const within = new Map<number, EmbeddingTable>();
  for (const [field, { table }] of [...layout.singles, ...layout.lists].entries()) {
    const found = byStart.get(table.rowStart)!;
    if (found.memory === memory) within.set(field, found);
  }
  const blocks = plan.flatMap((input, index) => blocksOf(input, index, within));
  const lists = layout.lists.flatMap((list, index): KernelList[] => {
    const field = layout.singles.length + index;
    const ofList = blocks.filter((block) => block.field === field);
    if (ofList.length === 0) return [];
    const from = Math.min(...ofList.map((block) => block.from));
    return [{ field, list, from, to: Math.max(...ofList.map((block) => block.from + block.count)) }];
  });
  const products = productsOf(plan);
  const whole = wholeInputs(plan, products, within);
  const layered = plan.flatMap(({ layers }, input): LayeredInput[] =>
    layers === undefined ? [] : [{ input, layers: layers.map(readLayer) }],
  );
  return { memory, widths: plan.map(gatheredWidth), blocks, lists, products, layered, whole, tables: within };
}

/** Inputs whose fields, and the fields that are multiplied for them, are all gathered by kernels. */
function wholeInputs(
  plan: GatherPlan,
  products: readonly InputProducts[],
  within: ReadonlyMap<number, EmbeddingTable>,
): Set<number> {
  const isGathered = (input: number) => plan[input]!.blocks.every(({ field }) => within.has(field));
  const whole = new Set([...plan.keys()].filter(isGathered));
  for (const { source, target } of products) if (!isGathered(source)) whole.delete(target);
  // Of a whole input with layers JavaScript sees the units only, not what is to be multiplied.
  let size: number;
  do {
    size = whole.size;
    for (const { source, target } of products) {
      if (!whole.has(target) && plan[source]!.layers !== undefined) whole.delete(source);
    }
  } while (whole.size < size);
  return whole;
}

function blocksOf(
  { blocks, columns }: GatherPlan[number],
  input: number,
  within: ReadonlyMap<number, EmbeddingTable>,
): KernelBlock[] {
  const found: KernelBlock[] = [];
  let at = 0;
  for (const { field, from, to } of blocks) {
    if (within.has(field)) found.push({ input, at, field, from, count: to - from });
    at += to - from;
  }
  for (let first = 0; first < columns.length; ) {
    const from = columns[first]!;
    let count = 1;
    while (columns[first + count] === from + count) count++;
    found.push({ input, at, field: undefined, from, count });
    first += count;
    at += count;
  }
  return found;
}

/** Where rows' numbers lie in the memory, for the kernels. */
interface Rows {
  /** Of the row of a batch's first row; that of the next one is `idStep` bytes on. */
  readonly ids: number;
  readonly idStep: number;
  /** Where row 0 would begin, which needn't be in the table. */
  readonly base: number;
  readonly rowBytes: number;
  readonly scales: number;
  readonly elementType: StoredElement;
}

/** The arrays of a session in the memory. */
export interface KernelArrays {
  readonly rows: EncodedRows;
  /** 0, 1, 2 ... for every row of a batch. */
  readonly rowNumbers: Int32Array;
  /** 0, 1, 2 ... from every tile's first row on. */
  readonly rowsInTile: Int32Array;
  /** Of a tile: means of each list of the plan, and rows of each input. */
  readonly means: readonly Float32Array[];
  readonly tiles: readonly Float32Array[];
}

const ELEMENT_NUMBERS: Readonly<Record<StoredElement, number>> = { F32: 0, F16: 1, I8: 2 };

/** The plan's blocks, each as `copyBlock` in kernels/gatherKernels.ts reads it. */
export function blockNumbers(plan: KernelPlan, layout: FeatureLayout, arrays: KernelArrays): number[] {
  return plan.blocks.flatMap(({ input, at, field, from, count }) => {
    const source = rowsFor(field, plan, layout, arrays);
    const tile = arrays.tiles[input]!;
    return [
      source.ids,
      source.idStep,
      source.base + from * ELEMENT_BYTES[source.elementType],
      source.rowBytes,
      source.scales,
      tile.byteOffset + 4 * at,
      4 * plan.widths[input]!,
      count,
      ELEMENT_NUMBERS[source.elementType],
    ];
  });
}

/** The plan's lists, each as `poolList` in kernels/gatherKernels.ts reads it, in passes of up to sixteen columns. */
export function listNumbers(plan: KernelPlan, layout: FeatureLayout, arrays: KernelArrays): number[] {
  const { listRows, listWeights } = arrays.rows;
  return plan.lists.flatMap((each, index) => {
    const { field, list, from, to } = each;
    const stored = plan.tables.get(field)!;
    const table = tableRows(stored, 0, 0);
    const isFar = stored.rows.byteLength > NEAR_BYTES;
    const mean = arrays.means[index]!;
    return Array.from({ length: passCount(each) }, (_, pass) => {
      const done = pass * PASS_COLUMNS;
      return [
        listRows.byteOffset + 4 * list.position,
        listWeights.byteOffset + 4 * list.position,
        4 * layout.listWidth,
        list.feature.maxLength,
        table.base + (from + done) * ELEMENT_BYTES[table.elementType],
        table.rowBytes,
        table.scales,
        mean.byteOffset + 4 * done,
        4 * meanWidth(each),
        Math.min(PASS_COLUMNS, to - from - done),
        ELEMENT_NUMBERS[table.elementType],
        Number(isFar),
      ];
    }).flat();
  });
}

/** Columns of room that kernels/layerKernels.ts needs in either half, whole fours. */
export function layerRoom(width: number, layers: readonly SparseLayer[]): number {
  return 4 * Math.ceil(Math.max(width, ...layers.map(({ biases }) => biases.length)) / 4);
}

/** Numbers of 4 bytes that `writeLayer` writes. */
export function layerLength({ biases, weights }: SparseLayer): number {
  return 2 * biases.length + 2 * weights.length;
}

/** A layer as kernels/layerKernels.ts reads it: of each unit the bias, the number of weights, and places and weights. */
export function writeLayer({ biases, counts, inputs, weights }: SparseLayer, to: Float32Array): void {
  const integers = new Uint32Array(to.buffer, to.byteOffset, to.length);
  let place = 0;
  let at = 0;
  for (const [unit, count] of counts.entries()) {
    to[place++] = biases[unit]!;
    integers[place++] = count;
    for (const end = at + count; at < end; at++) {
      integers[place++] = LAYER_ROWS * 4 * inputs[at]!;
      to[place++] = weights[at]!;
    }
  }
}

/** Pairs as kernels/productKernels.ts reads them, whole fours. */
export function pairNumbers({ pairs }: InputProducts): number[] {
  const padding = Array.from({ length: (4 - (pairs.length % 4)) % 4 }, () => pairs.at(-1)!);
  return [...pairs, ...padding].flatMap(([left, right]) => [4 * left, 4 * right]);
}

function rowsFor(
  field: number | undefined,
  { lists, tables }: KernelPlan,
  { singles, denseWidth }: FeatureLayout,
  { rows, rowNumbers, rowsInTile, means }: KernelArrays,
): Rows {
  const floats = { idStep: 4, scales: 0, elementType: 'F32' as const };
  if (field === undefined) {
    return { ...floats, ids: rowNumbers.byteOffset, base: rows.dense.byteOffset, rowBytes: 4 * denseWidth };
  }
  if (field < singles.length) {
    return tableRows(tables.get(field)!, rows.singleRows.byteOffset + 4 * field, 4 * singles.length);
  }
  const index = lists.findIndex((list) => list.field === field);
  const list = lists[index]!;
  return {
    ...{ ...floats, ids: rowsInTile.byteOffset, rowBytes: 4 * meanWidth(list) },
    base: means[index]!.byteOffset - 4 * list.from,
  };
}

function tableRows(
  { rows, scales, rowStart, width, elementType }: EmbeddingTable,
  ids: number,
  idStep: number,
): Rows {
  const rowBytes = width * ELEMENT_BYTES[elementType];
  const base = rows.byteOffset - rowStart * rowBytes;
  return { ids, idStep, base, rowBytes, elementType, scales: (scales?.byteOffset ?? 0) - 4 * rowStart };
}
