import type { Part } from './part.ts';

/**
 * Why a partition is incomplete, in words: other parts than those of its plan are missing where its input has changed; the
 * plan's own ones, where it took them for done and somebody has removed them since.
 */
export function describeMissing(missing: readonly Part[], planned: readonly Part[]): string {
  const ids = new Set(planned.map(({ partId }) => partId));
  const count = missing.length === 1 ? '1 part is missing' : `${missing.length} parts are missing`;
  return missing.every(({ partId }) => ids.has(partId))
    ? `${count}: done when this was planned, and gone from the output root since`
    : `${count}: the input has changed`;
}
