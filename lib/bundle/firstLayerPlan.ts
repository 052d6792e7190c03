import type { Task } from '../base/tasks.ts';
import { embeddingColumns, type NetworkShape } from '../network/networkShape.ts';
import { crossedPairs, type DenseLayer } from '../network/pruneTrunk.ts';
import type { GatheredInput } from './gatherPlan.ts';

/** Dead columns that are gathered for the sake of one block rather than two. */
const LARGEST_GAP = 2;
/** Blocks begin and end at multiples of it where they can: numbers are copied in pairs. */
const TOGETHER = 2;

/** What the first layers of a trunk read. */
export interface FirstLayerPlan {
  readonly input: GatheredInput;
  /** Of each column of the input, the row of the first layers' weights that it is multiplied by; undefined for zeros. */
  readonly rows: readonly (number | undefined)[];
}

/**
 * Leaves out the inputs whose weights are zero in all layers that read them.
 * @param layers first ones, with the rows that pruneTrunk gives them
 * @param tasks whose columns of the embeddings they see
 */
export function planFirstLayer(
  shape: NetworkShape,
  name: string,
  tasks: readonly Task[],
  layers: readonly DenseLayer[],
): FirstLayerPlan {
  const { crossFields, fieldNames, layout, embeddingWidth, privateEmbeddingWidth } = shape;
  const { from, to } = embeddingColumns(shape, tasks);
  const width = to - from;
  const pairs = crossedPairs(crossFields.length);
  const isLive = (row: number) =>
    layers.some(({ units, weight }) =>
      weight.subarray(row * units, (row + 1) * units).some((value) => value !== 0),
    );
  const livePairs = pairs.flatMap(([i, j], row) => (isLive(row) ? [{ i, j, row }] : []));
  const crossed = [...new Set(livePairs.flatMap(({ i, j }) => [i, j]))].sort((a, b) => a - b);

  const blocks: { field: number; from: number; to: number }[] = [];
  const rows: (number | undefined)[] = [];
  const placed = new Set<number>();
  // A task sees its own columns first: those of conversions are the matrix's last ones.
  const rowOf = (field: number, column: number) => {
    const seen = from > 0 && column >= embeddingWidth - privateEmbeddingWidth ? column - to + from : column;
    return pairs.length + field * width + (from > 0 ? seen : column);
  };
  const place = (field: number, first: number, end: number) => {
    blocks.push({ field, from: first, to: end });
    for (let column = first; column < end; column++) {
      const row = rowOf(field, column);
      rows.push(placed.has(field) || !isLive(row) ? undefined : row);
    }
  };
  for (const position of crossed) {
    place(crossFields[position]!, from, to);
    placed.add(crossFields[position]!);
  }
  fieldNames.forEach((_, field) => {
    if (placed.has(field)) return;
    for (const [first, end] of runs(from, to, (column) => isLive(rowOf(field, column))))
      place(field, first, end);
  });
  const denseRow = pairs.length + fieldNames.length * width;
  const columns = Array.from({ length: layout.denseWidth }, (_, column) => column).filter((column) =>
    isLive(denseRow + column),
  );
  rows.push(...columns.map((column) => denseRow + column));
  // A model has an input even if no score depends on it, and rows go on at even places.
  const columnCount = () => rows.length + livePairs.length;
  while (columnCount() === 0 || columnCount() % TOGETHER !== 0) {
    if (layout.denseWidth > 0) columns.push(0);
    else blocks.push({ field: 0, from, to: from + 1 });
    rows.push(undefined);
  }
  if (livePairs.length === 0) return { input: { name, blocks, columns }, rows };

  const at = new Map(crossed.map((position, index) => [position, index]));
  const pairsOfBlocks = livePairs.map(({ i, j }) => [at.get(i)!, at.get(j)!] as const);
  return {
    input: { name, blocks, columns, products: { input: name, pairs: pairsOfBlocks } },
    rows: [...rows, ...livePairs.map(({ row }) => row)],
  };
}

/** Ranges of [from, to) that cover all that is live, gaps of at most LARGEST_GAP, and whole pairs. */
function runs(from: number, to: number, isLive: (column: number) => boolean): [number, number][] {
  const found: [number, number][] = [];
  for (let column = from; column < to; column++) {
    if (!isLive(column)) continue;
    const first = Math.max(from, column - (column % TOGETHER));
    const end = Math.min(to, first + TOGETHER);
    const last = found.at(-1);
    if (last !== undefined && first - last[1] <= LARGEST_GAP) last[1] = Math.max(last[1], end);
    else found.push([first, end]);
  }
  return found;
}
