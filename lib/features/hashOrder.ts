import { places, sortByKey } from './sortByKey.ts';
import { homeShift } from './vocabularyFile.ts';

/** Ranks in the order of (hash, value). @param compare two ranks' values, asked only where hashes are equal */
export function sortByHash(hashes: Uint32Array, compare: (a: number, b: number) => number): Uint32Array {
  const ranks = sortByKey(places(hashes.length), hashes);
  for (let start = 0; start < ranks.length; ) {
    let end = start + 1;
    while (end < ranks.length && hashes[ranks[end]!] === hashes[ranks[start]!]) end++;
    if (end > start + 1) ranks.subarray(start, end).sort(compare);
    start = end;
  }
  return ranks;
}

/** All slots that values in the order of their hashes take, the empty one behind them included. */
export function slotsNeeded(hashes: Uint32Array, ranks: Uint32Array, homes: number): number {
  const shift = homeShift(homes);
  let slot = -1;
  for (const rank of ranks) slot = Math.max(slot + 1, hashes[rank]! >>> shift);
  return Math.max(homes, slot + 1) + 1;
}
