const DIGIT_BITS = 16;
const DIGITS = 2 ** DIGIT_BITS;

/**
 * Sorts items by 32-bit keys, ascending; items with equal keys keep their order. A radix sort in typed arrays: twenty million
 * numbers in a JavaScript array, compared by a function, would take a minute and a gigabyte.
 * @param items places in `keys`; left alone
 */
export function sortByKey(items: Uint32Array, keys: Uint32Array): Uint32Array {
  let from = items;
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const starts = new Uint32Array(DIGITS);
    for (const item of from) starts[(keys[item]! >>> shift) & (DIGITS - 1)]!++;
    if (starts.includes(from.length)) continue;
    let start = 0;
    for (let digit = 0; digit < DIGITS; digit++) {
      const count = starts[digit]!;
      starts[digit] = start;
      start += count;
    }
    const to = new Uint32Array(from.length);
    for (const item of from) to[starts[(keys[item]! >>> shift) & (DIGITS - 1)]!++] = item;
    from = to;
  }
  return from;
}

/** 0, 1, ... */
export function places(count: number): Uint32Array {
  const all = new Uint32Array(count);
  for (let at = 0; at < count; at++) all[at] = at;
  return all;
}
