import type { GatherPlan } from './gatherPlan.ts';

/** The products of one input, in columns. */
export interface InputProducts {
  /** Places of inputs in the plan: whose blocks are multiplied, and where the products go. */
  readonly source: number;
  readonly target: number;
  /** Column of the first product. */
  readonly at: number;
  /** First columns of both blocks of each pair. */
  readonly pairs: readonly (readonly [number, number])[];
  /** Columns of a block. */
  readonly width: number;
}

/** All products of a plan that `inputProblems` finds nothing in. */
export function productsOf(plan: GatherPlan): InputProducts[] {
  return plan.flatMap(({ blocks, columns, products }, target): InputProducts[] => {
    if (products === undefined) return [];
    const source = plan.findIndex(({ name }) => name === products.input);
    const chosen = plan[source]!.blocks;
    const starts: number[] = [];
    let end = 0;
    for (const { from, to } of chosen) {
      starts.push(end);
      end += to - from;
    }
    const { from, to } = chosen[products.pairs[0]![0]]!;
    return [
      {
        ...{ source, target, width: to - from },
        at: blocks.reduce((sum, block) => sum + block.to - block.from, columns.length),
        pairs: products.pairs.map(([left, right]) => [starts[left]!, starts[right]!]),
      },
    ];
  });
}

/** An input's rows, [rows, width]. */
interface Rows {
  readonly data: Float32Array;
  readonly width: number;
}

/**
 * The dot products of the first `rowCount` rows. Four sums, of every fourth column each, are added up as (0 + 1) + (2 + 3), all in
 * float32: the order of the kernels, which compute four columns at a time.
 */
export function multiplyPairs(
  { pairs, width, at }: InputProducts,
  source: Rows,
  target: Rows,
  rowCount: number,
): void {
  const { fround } = Math;
  const { data } = source;
  const wholeWidth = width & ~3;
  const rest = width - wholeWidth;
  for (let row = 0; row < rowCount; row++) {
    const first = row * source.width;
    let to = row * target.width + at;
    for (const [leftAt, rightAt] of pairs) {
      let left = first + leftAt;
      let right = first + rightAt;
      let [a, b, c, d] = [fround(0), fround(0), fround(0), fround(0)];
      for (const end = left + wholeWidth; left < end; left += 4, right += 4) {
        a = fround(a + fround(data[left]! * data[right]!));
        b = fround(b + fround(data[left + 1]! * data[right + 1]!));
        c = fround(c + fround(data[left + 2]! * data[right + 2]!));
        d = fround(d + fround(data[left + 3]! * data[right + 3]!));
      }
      if (rest > 0) a = fround(a + fround(data[left]! * data[right]!));
      if (rest > 1) b = fround(b + fround(data[left + 1]! * data[right + 1]!));
      if (rest > 2) c = fround(c + fround(data[left + 2]! * data[right + 2]!));
      target.data[to++] = fround(fround(a + b) + fround(c + d));
    }
  }
}
