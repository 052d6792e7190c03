import type { StringIndex } from './stringIndex.ts';

/** Shorter runs are compared string by string. */
const SHORT_RUN = 12;

/**
 * Sorts strings byte by byte, in place: quicksort by one byte at a time (Bentley and Sedgewick, 1997), which looks at a prefix
 * that many strings share once per string and not once per comparison.
 * @param order indices in `strings`, all different
 */
export function sortByBytes(order: Uint32Array, strings: StringIndex): void {
  // From, to (exclusive), depth: a stack of its own, since strings may share more bytes than there is room for calls.
  const runs = [0, order.length, 0];
  while (runs.length > 0) {
    const depth = runs.pop()!;
    const to = runs.pop()!;
    const from = runs.pop()!;
    if (to - from <= SHORT_RUN) {
      sortShortRun(order, from, to, strings);
      continue;
    }
    const pivot = middleByte(order, from, to, strings, depth);
    let below = from;
    let above = to;
    for (let at = from; at < above; ) {
      const byte = strings.byteAt(order[at]!, depth);
      if (byte < pivot) swap(order, below++, at++);
      else if (byte > pivot) swap(order, at, --above);
      else at++;
    }
    runs.push(from, below, depth, above, to, depth);
    // Those that end here are equal, and there is only one of them.
    if (pivot >= 0) runs.push(below, above, depth + 1);
  }
}

/** The middle one of three strings' bytes. */
function middleByte(
  order: Uint32Array,
  from: number,
  to: number,
  strings: StringIndex,
  depth: number,
): number {
  const a = strings.byteAt(order[from]!, depth);
  const b = strings.byteAt(order[(from + to) >>> 1]!, depth);
  const c = strings.byteAt(order[to - 1]!, depth);
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

function sortShortRun(order: Uint32Array, from: number, to: number, strings: StringIndex): void {
  for (let end = from + 1; end < to; end++) {
    for (let at = end; at > from && strings.compare(order[at - 1]!, order[at]!) > 0; at--) {
      swap(order, at - 1, at);
    }
  }
}

function swap(order: Uint32Array, a: number, b: number): void {
  const held = order[a]!;
  order[a] = order[b]!;
  order[b] = held;
}
