import { cutPartition } from './cutPartition.ts';
import { manifestOf, writeManifest } from './manifest.ts';
import { isSameModel } from './modelIdentity.ts';
import { flipPointer, type Pointer, type Publication, readPointer } from './pointer.ts';
import type { PartPlace, Receipt } from './receipt.ts';
import type { Span } from './span.ts';

/** What a gate sees of a partition that is about to be published. */
interface GateInput {
  /** What the input holds. */
  readonly spans: readonly Span[];
  /** What was scored, in the same order. */
  readonly receipts: readonly Receipt[];
  /** What is visible now. */
  readonly previous: Publication | undefined;
}

/** Names what stands against publishing; nothing if all is well. */
type Gate = (input: GateInput) => readonly string[];

/** Every row of the input is in exactly one part. Keys and the range of the scores were checked for every receipt. */
const rowCountGate: Gate = ({ spans, receipts }) =>
  spans.flatMap((span, index) => {
    const receipt = receipts[index]!;
    const isOf =
      receipt.inputUri === span.inputUri &&
      receipt.inputVersion === span.inputVersion &&
      receipt.firstRowGroup === span.firstRowGroup &&
      receipt.endRowGroup === span.endRowGroup;
    if (isOf && receipt.rows === span.rows) return [];
    const name = `${span.inputUri} row groups ${span.firstRowGroup} to ${span.endRowGroup}`;
    return [`${name}: expected ${span.rows} rows, found ${receipt.rows} in ${receipt.uri}`];
  });

const DEFAULT_GATES: readonly Gate[] = [rowCountGate];

function runGates(input: GateInput, gates: readonly Gate[] = DEFAULT_GATES): string[] {
  return gates.flatMap((gate) => gate(input));
}

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
  | { readonly kind: 'incomplete'; readonly missing: readonly Span[] }
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
    const { spans, receipts } = await cutPartition(inputUri, place, targetRows);
    const missing = spans.filter((_, index) => receipts[index] === undefined);
    if (missing.length > 0) return { kind: 'incomplete', missing };
    const whole = receipts as readonly Receipt[];
    const problems = runGates({ spans, receipts: whole, previous: pointer?.current }, gates);
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
