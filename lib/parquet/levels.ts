import { decodeHybrid, type ViewedBytes } from './hybridRuns.ts';

/** The levels of the first version begin with their size. */
const SIZE_BYTES = 4;

/** Bytes `[start, end)` of a page. */
export interface PageSection {
  readonly bytes: ViewedBytes;
  readonly start: number;
  readonly end: number;
}

/** Levels that begin with their size. @returns undefined when they reach beyond the bytes */
export function sizedLevels({ bytes, view }: ViewedBytes, at: number): PageSection | undefined {
  const start = at + SIZE_BYTES;
  if (start > bytes.length) return undefined;
  const end = start + view.getUint32(at, true);
  return end > bytes.length ? undefined : { bytes: { bytes, view }, start, end };
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
