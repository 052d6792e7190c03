import { type Gate, runGates } from './gates.ts';
import { manifestOf, writeManifest } from './manifest.ts';
import { isSameModel } from './modelIdentity.ts';
import type { PartSpec } from './partSpec.ts';
import { planPartition } from './planPartition.ts';
import { flipPointer, type Pointer, readPointer } from './pointer.ts';
import type { PartPlace, Receipt } from './receipt.ts';

export interface PublishOptions {
  readonly inputUri: string;
  readonly targetRows: number;
  /** Where the model's bundle is. */
  readonly modelUri: string;
  /** The pointer's generation when the run was planned; without one, any is taken. */
  readonly basedOnGeneration?: number;
  /** Publish although an operator has rolled the partition back. */
  readonly liftHold?: boolean;
  readonly gates?: readonly Gate[];
}

/** How a publication ended (docs/publish-protocol.md). Only `published` has changed anything. */
export type PublishOutcome =
  | { readonly kind: 'published' | 'unchanged'; readonly pointer: Pointer }
  | { readonly kind: 'incomplete'; readonly missing: readonly PartSpec[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }
  | { readonly kind: 'held' | 'superseded'; readonly reason: string };

/**
 * Makes the scores of a partition's current input visible, all at once, if every part of it is there. Any number of
 * publishers may run at a time.
 */
export async function publishPartition(
  place: PartPlace,
  { inputUri, targetRows, modelUri, basedOnGeneration, liftHold = false, gates }: PublishOptions,
): Promise<PublishOutcome> {
  const { root, partition, model } = place;
  for (;;) {
    // Before the listing: a publisher that has seen a newer listing changes the pointer, and this one's flip fails.
    const state = await readPointer(root, partition);
    const { pointer } = state;
    if (pointer !== undefined && pointer.hold !== null && !liftHold) {
      return { kind: 'held', reason: pointer.hold };
    }
    const isOther = pointer !== undefined && !isSameModel(pointer.current.model, model);
    // A flip that kept its model, for a shard that landed, supersedes nobody.
    if (isOther && basedOnGeneration !== undefined && pointer.modelSince > basedOnGeneration) {
      const reason = `${pointer.current.model.version} was published after this run was planned`;
      return { kind: 'superseded', reason };
    }
    // The same model at another place: the later plan knows where it is.
    const isLate = basedOnGeneration !== undefined && basedOnGeneration < (pointer?.generation ?? 0);
    const bundleUri = pointer !== undefined && !isOther && isLate ? pointer.current.modelUri : modelUri;
    const { specs, receipts } = await planPartition(inputUri, place, targetRows);
    const missing = specs.filter((_, index) => receipts[index] === undefined);
    if (missing.length > 0) return { kind: 'incomplete', missing };
    const whole = receipts as readonly Receipt[];
    const problems = runGates({ specs, receipts: whole, previous: pointer?.current }, gates);
    if (problems.length > 0) return { kind: 'refused', problems };
    const publication = await writeManifest(root, manifestOf(partition, model, whole), bundleUri);
    const isCurrent =
      pointer?.current.sha256 === publication.sha256 && pointer.current.modelUri === bundleUri;
    if (isCurrent && pointer.hold === null) {
      return { kind: 'unchanged', pointer };
    }
    const flipped = await flipPointer(root, partition, state, publication, null);
    if (flipped !== undefined) return { kind: 'published', pointer: flipped };
  }
}
