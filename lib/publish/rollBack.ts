import { Ncs4cvrError } from '../base/errors.ts';
import { readManifest } from './manifest.ts';
import { below, pointerPath } from './outputLayout.ts';
import { flipPointer, type Pointer, type PointerState, type Publication, readPointer } from './pointer.ts';
import { refuseGoneParts } from './verifyParts.ts';

interface RolledBack {
  readonly pointer: Pointer;
  /** False where an earlier call, or somebody else's, has done the same. */
  readonly hasFlipped: boolean;
}

/**
 * Makes an earlier manifest of a partition current again and holds the partition: one conditional write, nothing is
 * scored. Repeated, raced by the same call or killed and tried again, it ends in the same state: a partition that is held
 * for the same reason, or at the manifest that `to` names, stays as it is.
 * @param to sha256 of the manifest, or its beginning; by default the one before the current, unless that was rolled back to
 * @throws Ncs4cvrError PUBLISH_NO_HISTORY; PUBLISH_HELD for a step back without `to` from a partition that is held for
 * another reason; PUBLISH_POINTER_MOVED; ProblemsError PUBLISH_PART_DAMAGED where parts of that state are gone
 */
export async function rollBack(
  root: string,
  partition: string,
  reason: string,
  to?: string,
): Promise<RolledBack> {
  const state = await readPointer(root, partition);
  const done = alreadyDone(state, reason, to);
  if (done !== undefined) return { pointer: done, hasFlipped: false };
  const target = targetOf(root, partition, state, to);
  // What is gone or damaged is reported before it becomes visible.
  await refuseGoneParts(root, await readManifest(root, target));
  const flipped = await flipPointer(root, partition, state, target, reason);
  if (flipped !== undefined) return { pointer: flipped, hasFlipped: true };
  const other = alreadyDone(await readPointer(root, partition), reason, to);
  if (other !== undefined) return { pointer: other, hasFlipped: false };
  throw new Ncs4cvrError(
    'PUBLISH_POINTER_MOVED',
    'the partition was published or rolled back at the same moment; check its status, then roll back again',
    { file: below(root, pointerPath(partition)), retryable: true },
  );
}

/** The pointer, if what it shows is what the roll-back is to end with. Only roll-backs hold. */
function alreadyDone({ pointer }: PointerState, reason: string, to: string | undefined): Pointer | undefined {
  if (pointer === undefined || pointer.hold === null) return undefined;
  const isDone = to === undefined ? pointer.hold === reason : pointer.current.sha256.startsWith(to);
  return isDone ? pointer : undefined;
}

function targetOf(
  root: string,
  partition: string,
  { pointer }: PointerState,
  to: string | undefined,
): Publication {
  const history = pointer?.history ?? [];
  const file = below(root, pointerPath(partition));
  // What was current before is what somebody has rolled back from: taking it would bring that back.
  if (to === undefined && pointer !== undefined && pointer.hold !== null) {
    throw new Ncs4cvrError('PUBLISH_HELD', 'the partition was rolled back before; another step needs --to', {
      file,
      expected: `--to with one of ${namesOf(history)}`,
      found: `${pointer.current.sha256.slice(0, 12)} (${pointer.current.model.version}), held: ${pointer.hold}`,
    });
  }
  if (to === undefined && history[0] !== undefined) return history[0];
  // One that is current without a hold can be named too: it is held from then on.
  const states = pointer === undefined ? [] : [pointer.current, ...history];
  const matching = to === undefined ? [] : states.filter(({ sha256 }) => sha256.startsWith(to));
  if (matching.length === 1) return matching[0]!;
  const summary =
    matching.length === 0
      ? 'there is no such earlier state to roll back to'
      : 'more than one state begins like this';
  throw new Ncs4cvrError('PUBLISH_NO_HISTORY', summary, {
    file,
    ...(to === undefined ? {} : { expected: to }),
    found: namesOf(matching.length === 0 ? history : matching),
  });
}

function namesOf(publications: readonly Publication[]): string {
  return (
    publications.map(({ sha256 }) => sha256.slice(0, 12)).join(', ') || 'none before the first generation'
  );
}
