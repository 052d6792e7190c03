import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { UnreadableFiles } from '../base/unreadableFiles.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { readReference } from '../bundle/readReference.ts';
import type { Judged } from '../gates/judged.ts';
import type { Verdict } from '../gates/verdict.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { readAudit } from '../publish/audit.ts';
import type { BlockedPartition } from '../publish/blockedPartition.ts';
import { judgedOf } from '../publish/judged.ts';
import type { LastFailure } from '../publish/lastFailure.ts';
import { readManifest } from '../publish/manifest.ts';
import { isShadowRoot } from '../publish/outputLayout.ts';
import { blockedReason, type PartitionState } from '../publish/partitionState.ts';
import type { Pointer, Publication } from '../publish/pointer.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { byNamedTime, dayOfPartition } from './newestDay.ts';

/** A partition as the page of all partitions shows it. */
export interface ListedPartition {
  readonly partition: string;
  /** YYYY-MM-DD; undefined where the name holds no date. */
  readonly day: string | undefined;
  readonly stage: PartitionState['stage'];
  /** In words; undefined where there is nothing to say. */
  readonly reason: string | undefined;
  /** Null for a partition that was never published. */
  readonly pointer: Pointer | null;
  /** When the pointer was last flipped, milliseconds since 1970; undefined without one. */
  readonly flippedMillis: number | undefined;
  /** What is visible; undefined where nothing is, or where it can't be read. */
  readonly visible: Judged | undefined;
  readonly verdicts: readonly Verdict[];
  /** Undefined where there is none, or where nobody asked for it. */
  readonly lastFailure: LastFailure | undefined;
  /** What the visible model's scores looked like when it was trained. */
  readonly reference: ModelReference | undefined;
}

const READS_AT_A_TIME = 8;

/** What is known of partitions before their documents are read. */
export type KnownState = Pick<PartitionState, 'partition' | 'stage' | 'reason' | 'pointer'> & {
  readonly lastFailure?: LastFailure | undefined;
};

/** States of what a root holds, by time, where no job says what there should be: of that of shadow runs, nothing is published. */
export function statesOfRoot(
  root: string,
  pointers: readonly Pointer[],
  blocked: readonly BlockedPartition[],
  failures: readonly (LastFailure & Pick<PartitionState, 'partition'>)[] = [],
): KnownState[] {
  const visible = isShadowRoot(root) ? 'shadowed' : 'published';
  const failureOf = new Map(failures.map((each) => [each.partition, each]));
  const blockOf = new Map(blocked.map((each) => [each.partition, each]));
  const published = pointers.map((pointer): KnownState => {
    const { partition, hold } = pointer;
    const block = blockOf.get(partition);
    if (hold !== null) return { partition, stage: 'held', reason: hold, pointer };
    if (block !== undefined) return { partition, stage: 'blocked', reason: blockedReason(block), pointer };
    return { partition, stage: visible, reason: undefined, pointer, lastFailure: failureOf.get(partition) };
  });
  const known = new Set(pointers.map(({ partition }) => partition));
  const never = blocked
    .filter(({ partition }) => !known.has(partition))
    .map((block): KnownState => {
      return { partition: block.partition, stage: 'blocked', reason: blockedReason(block), pointer: null };
    });
  const failed = failures
    .filter(({ partition }) => !known.has(partition) && !blockOf.has(partition))
    .map((lastFailure): KnownState => {
      const { partition } = lastFailure;
      return { partition, stage: 'complete', reason: undefined, pointer: null, lastFailure };
    });
  return [...published, ...never, ...failed].sort((a, b) => byNamedTime(a.partition, b.partition));
}

/**
 * Reads manifest, audit document and the model's reference of every partition; what is gone is left out.
 * @param states by time
 * @param unreadable takes what is there and can't be read
 */
export async function readPartitions(
  root: string,
  states: readonly KnownState[],
  { attempt, attemptNeeded }: UnreadableFiles,
): Promise<ListedPartition[]> {
  const flipped = new Map(
    (await listIfAny(joinUri(root, 'pointers'))).map(({ relativePath, modifiedMillis }) => [
      relativePath.replace(/\.json$/, ''),
      modifiedMillis,
    ]),
  );
  const references = new Map<string, Promise<ModelReference | undefined>>();
  const referenceOf = ({ modelUri }: Publication) => {
    const known = references.get(modelUri) ?? attempt(() => referenceAt(modelUri));
    references.set(modelUri, known);
    return known;
  };
  return mapConcurrently(states, READS_AT_A_TIME, async (state) => {
    const { partition, stage, reason, pointer, lastFailure } = state;
    const current = pointer?.current;
    const manifest = current && (await attemptNeeded(() => readManifest(root, current)));
    const audit = current && (await attemptNeeded(() => readAudit(root, current.audit)));
    return {
      ...{ partition, stage, reason, pointer, lastFailure },
      day: dayOfPartition(partition),
      flippedMillis: flipped.get(partition),
      visible: manifest && judgedOf(manifest),
      verdicts: audit?.verdicts ?? [],
      reference: current && (await referenceOf(current)),
    };
  });
}

/** @throws as readReference */
export async function referenceAt(modelUri: string): Promise<ModelReference | undefined> {
  const storage = storageFor(modelUri);
  return readReference(storage, modelUri, await readBundleManifest(storage, modelUri));
}
