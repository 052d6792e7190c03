/**
 * Merges sorted runs of fingerprints, neighbours first. Two words each, low and high half in turn, as little-endian 64-bit integers are.
 * @param words all runs, one behind the other; not changed
 * @param starts of the runs, in words, ascending; the first is 0
 * @returns all of them in ascending order
 */
export function mergeFingerprints(words: Uint32Array, starts: readonly number[]): Uint32Array {
  let from: Uint32Array = words;
  let runs = starts;
  let into: Uint32Array = new Uint32Array(runs.length > 1 ? words.length : 0);
  let spare: Uint32Array = into;
  while (runs.length > 1) {
    const merged: number[] = [];
    for (let run = 0; run < runs.length; run += 2) {
      const middle = runs[run + 1] ?? words.length;
      mergeRuns(from, runs[run]!, middle, runs[run + 2] ?? words.length, into);
      merged.push(runs[run]!);
    }
    runs = merged;
    // What was given is kept as it is.
    if (from !== words) spare = from;
    else if (runs.length > 1) spare = new Uint32Array(words.length);
    [from, into] = [into, spare];
  }
  return from;
}

/** Of `words[start, middle)` and `words[middle, end)`, to the same place of another array. */
function mergeRuns(words: Uint32Array, start: number, middle: number, end: number, into: Uint32Array): void {
  let left = start;
  let right = middle;
  let to = start;
  while (left < middle && right < end) {
    const leftHigh = words[left + 1]!;
    const rightHigh = words[right + 1]!;
    if (leftHigh < rightHigh || (leftHigh === rightHigh && words[left]! <= words[right]!)) {
      into[to] = words[left]!;
      into[to + 1] = leftHigh;
      left += 2;
    } else {
      into[to] = words[right]!;
      into[to + 1] = rightHigh;
      right += 2;
    }
    to += 2;
  }
  into.set(words.subarray(left, middle), to);
  into.set(words.subarray(right, end), to + middle - left);
}
