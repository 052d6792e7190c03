import { decodeHybrid, type ViewedBytes } from './hybridRuns.ts';

/** The levels of the first version begin with their size. */
const SIZE_BYTES = 4;

/** Bytes `[start, end)` of a page, or of several that were unpacked together: views of each would take longer than small pages do. */
export interface PageSection {
  readonly bytes: ViewedBytes;
  readonly start: number;
  readonly end: number;
}

/** Levels that a section begins with, and their size before them. @returns undefined when they reach beyond it */
export function sizedLevels({ bytes, start, end }: PageSection): PageSection | undefined {
  const levelsStart = start + SIZE_BYTES;
  if (levelsStart > end) return undefined;
  const levelsEnd = levelsStart + bytes.view.getUint32(start, true);
  return levelsEnd > end ? undefined : { bytes, start: levelsStart, end: levelsEnd };
}

/** @returns false when there are fewer, or one is above the largest that the column has */
export function decodeLevels(
  { bytes, start, end }: PageSection,
  largest: number,
  into: Int32Array,
  count: number,
): boolean {
  if (count === 0 || largest === 0) {
    into.fill(0, 0, count);
    return true;
  }
  const bits = decodeHybrid(bytes, start, end, 32 - Math.clz32(largest), into, 0, count);
  return areBelow(largest + 1, bits, into, 0, count);
}

/** Whether all decoded values are below a bound. @param bits as decodeHybrid returns them */
export function areBelow(
  bound: number,
  bits: number,
  values: Int32Array,
  start: number,
  count: number,
): boolean {
  if (bits < bound) return bits >= 0;
  for (let index = start; index < start + count; index++) if (values[index]! >= bound) return false;
  return true;
}
