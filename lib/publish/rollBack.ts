import { Ncs4cvrError } from '../base/errors.ts';
import { readManifest } from './manifest.ts';
import { below, pointerPath } from './outputLayout.ts';
import { flipPointer, type Pointer, readPointer } from './pointer.ts';

/**
 * Makes an earlier manifest of a partition current again and holds the partition: one conditional write, nothing is
 * scored.
 * @param to sha256 of the manifest, or its beginning; the one before the current by default
 * @throws Ncs4cvrError PUBLISH_NO_HISTORY, PUBLISH_POINTER_MOVED
 */
export async function rollBack(
  root: string,
  partition: string,
  reason: string,
  to?: string,
): Promise<Pointer> {
  const state = await readPointer(root, partition);
  const history = state.pointer?.history ?? [];
  const target = to === undefined ? history[0] : history.find(({ sha256 }) => sha256.startsWith(to));
  if (target === undefined) {
    throw new Ncs4cvrError('PUBLISH_NO_HISTORY', 'there is no such earlier state to roll back to', {
      file: below(root, pointerPath(partition)),
      ...(to === undefined ? {} : { expected: to }),
      found: history.map(({ sha256 }) => sha256.slice(0, 12)).join(', ') || 'no earlier manifest',
    });
  }
  // A manifest that is gone or damaged is reported before it becomes visible.
  await readManifest(root, target);
  const flipped = await flipPointer(root, partition, state, target, reason);
  if (flipped !== undefined) return flipped;
  throw new Ncs4cvrError(
    'PUBLISH_POINTER_MOVED',
    'the partition was published at the same moment; check its status, then roll back again',
    {
      file: below(root, pointerPath(partition)),
      retryable: true,
    },
  );
}
