import type { Pointer } from '../publish/pointer.ts';
import { formatCount } from './progressLine.ts';

/** What readers see of a partition, such as `650 rows of v7, generation 3`. */
export function describePointer({ current, generation }: Pointer): string {
  return `${formatCount(current.rows)} rows of ${current.model.version}, generation ${generation}`;
}
