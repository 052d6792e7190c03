import { Ncs4cvrError } from '../base/errors.ts';
import { pauseMillis, type RetryLaw, systemClock } from '../base/retry.ts';
import { type Override, readAudit, writeAudit } from './audit.ts';
import { type BlockedPartition, readBlocked } from './blockedPartition.ts';
import { readManifest } from './manifest.ts';
import { below, blockedPath, pointerPath } from './outputLayout.ts';
import { flipPointer, type Pointer, type Publication, readPointer } from './pointer.ts';
import { FRESH_MILLIS } from './publishPartition.ts';
import { doneParts } from './receipt.ts';

interface Released {
  readonly pointer: Pointer;
  /** False where an earlier call, or somebody else's, has done the same. */
  readonly hasFlipped: boolean;
}

/** Of releases that race for one pointer: the second one finds what the first has done. */
const RACE_LAW: RetryLaw = { attempts: 3, firstPauseMillis: 50, growth: 2, longestPauseMillis: 1_000 };

/**
 * Publishes exactly what a gate has blocked, on an operator's word: the input isn't looked at again, nothing is scored, and the
 * audit document says who, when and why. Repeated it changes nothing, so the first call's word stays on record; killed before its
 * flip and tried again, it leaves an audit document that nothing names.
 * @param override who publishes it all the same, when and why
 * @throws Ncs4cvrError PUBLISH_NOT_BLOCKED where nothing is blocked; PUBLISH_BLOCK_OUTDATED where something else was published
 * or rolled back since; PUBLISH_PART_COLLECTED where a part of it is gone; PUBLISH_POINTER_MOVED
 */
export async function releasePartition(
  root: string,
  partition: string,
  override: Override,
): Promise<Released> {
  for (let attempt = 1; attempt <= RACE_LAW.attempts!; attempt++) {
    const startMillis = Date.now();
    const state = await readPointer(root, partition);
    const { pointer } = state;
    const { blocked } = await readBlocked(root, partition);
    if (blocked === undefined) throw notBlocked(root, partition, 'no note of a blocked publication');
    const { publication } = blocked;
    const isVisible = pointer?.hold === null && pointer.current.sha256 === publication.sha256;
    if (isVisible && pointer.generation > blocked.generation) return { pointer, hasFlipped: false };
    if (blocked.isCleared) throw notBlocked(root, partition, 'what was blocked is not in the input any more');
    if ((pointer?.generation ?? 0) !== blocked.generation) throw outdated(root, blocked, pointer);
    await refuseMissingParts(root, blocked);
    const verdicts = await readAudit(root, publication.audit);
    const auditDocument = { ...verdicts, override };
    const audit = await writeAudit(root, auditDocument);
    const released: Publication = { ...publication, audit, isReleased: true };
    // As long ago, `gc` may have deleted parts that were there then.
    if (Date.now() - startMillis <= FRESH_MILLIS) {
      const flipped = await flipPointer(root, partition, state, released, null);
      if (flipped !== undefined) {
        await writeAudit(root, auditDocument);
        return { pointer: flipped, hasFlipped: true };
      }
    }
    await systemClock.sleep(pauseMillis(RACE_LAW, attempt));
  }
  throw new Ncs4cvrError(
    'PUBLISH_POINTER_MOVED',
    'the partition was published or rolled back at the same moment; check its status, then release again',
    { file: below(root, pointerPath(partition)), retryable: true },
  );
}

/** Reads the manifest too: one that is damaged is reported before it becomes visible. */
async function refuseMissingParts(root: string, { partition, publication }: BlockedPartition): Promise<void> {
  const { parts } = await readManifest(root, publication);
  const done = await doneParts({ root, partition });
  const gone = parts.filter(({ partId, sizeBytes }) => done.get(partId) !== sizeBytes);
  if (gone.length === 0) return;
  throw new Ncs4cvrError(
    'PUBLISH_PART_COLLECTED',
    '`gc` has taken parts of what was blocked; run its partition again',
    {
      file: below(root, publication.manifest),
      expected: `${parts.length} parts with their receipts`,
      found: `${parts.length - gone.length}; ${below(root, gone[0]!.path)} is gone`,
    },
  );
}

function notBlocked(root: string, partition: string, found: string): Ncs4cvrError {
  const file = below(root, blockedPath(partition));
  return new Ncs4cvrError('PUBLISH_NOT_BLOCKED', 'nothing is blocked for this partition', { file, found });
}

function outdated(root: string, blocked: BlockedPartition, pointer: Pointer | undefined): Ncs4cvrError {
  const hold = pointer?.hold ?? null;
  return new Ncs4cvrError(
    'PUBLISH_BLOCK_OUTDATED',
    'the partition was published or rolled back since this was blocked; run it again to have it judged anew',
    {
      file: below(root, pointerPath(blocked.partition)),
      expected: `generation ${blocked.generation}`,
      found: `${pointer?.generation ?? 0}${hold === null ? '' : `, held: ${hold}`}`,
    },
  );
}
