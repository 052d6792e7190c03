import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { decodeJson, encodeJson } from '../base/jsonDocument.ts';
import { shellWord } from '../base/shellWord.ts';
import { storageFor } from '../storage/openStorage.ts';
import { writeIfUnchanged } from '../storage/storage.ts';
import type { BlockedPartition } from './blockedPartition.ts';
import type { ModelIdentity } from './modelIdentity.ts';
import { below } from './outputLayout.ts';
import type { Pointer, Publication } from './pointer.ts';

/** What an event says of a manifest, whatever became of it. */
interface ManifestEvent {
  readonly eventVersion: 1;
  /** 64 hex digits: whoever has worked one off may pass over every other with the same id. */
  readonly deduplicationId: string;
  /** Output root of the scores. */
  readonly scores: string;
  readonly partition: string;
  /** Of the pointer. Events may come late: one of a lower generation than one has seen is history. */
  readonly generation: number;
  /** Path of the manifest below the output root. */
  readonly manifest: string;
  readonly manifestUri: string;
  readonly model: ModelIdentity;
  readonly rows: number;
}

/**
 * What readers are told when a pointer has flipped. It follows from the pointer alone: told twice, it is the same. The id is the
 * flip's.
 */
export interface PublishedEvent extends ManifestEvent {
  /** Why the partition was rolled back to this manifest; null for a publication. */
  readonly hold: string | null;
}

/**
 * What is told when a gate has kept a publication from readers. At least once for every attempt; by nobody when it was killed.
 * The id is the same for every attempt to publish the same while the same is visible; the generation is the pointer's, which
 * stays, and 0 where nothing was ever published.
 */
interface BlockedEvent extends ManifestEvent {
  /** Every gate's verdict. */
  readonly auditUri: string;
  /** Why, in words; the first ones, since an event has an end. */
  readonly problems: readonly string[];
  readonly problemCount: number;
  /** Command line that publishes exactly this, once REASON is put in; where a gate is right, the input is to be repaired. */
  readonly releaseCommand: string;
}

/** Names of the events, as rules match them. */
export type ScoresEvent =
  | { readonly type: 'Scores Published'; readonly detail: PublishedEvent }
  | { readonly type: 'Scores Blocked'; readonly detail: BlockedEvent };

/** Who tells readers and operators. */
export interface Announcer {
  /** Returns when the event is accepted: it will be delivered, once or more. @throws Error otherwise */
  send(event: ScoresEvent): Promise<void>;
}

/** A marker is the event that was sent; of one by another version of the code, too, this is all that counts. */
const markerSchema = z.object({ deduplicationId: z.string() });

/**
 * Tells readers of the flip that a pointer shows, unless its marker says that they were told. The marker is written after
 * the event was accepted: whoever is killed before leaves it to the next publication of the partition to tell them, and
 * whoever is killed in between, or meets another publisher, tells them twice.
 * @returns whether the event was sent
 * @throws Error of the announcer; the marker is missing then
 */
export async function announce(root: string, pointer: Pointer, announcer: Announcer): Promise<boolean> {
  const event = publishedEvent(root, pointer);
  const uri = below(root, `announced/${pointer.partition}/${pointer.generation}.json`);
  const storage = storageFor(uri);
  const marker = await storage.readVersioned(uri);
  if (marker !== undefined && announcedId(marker.bytes) === event.deduplicationId) return false;
  await announcer.send({ type: 'Scores Published', detail: event });
  const bytes = encodeJson(event);
  // Generations begin anew where a pointer was removed: a marker of the one before is replaced. Who loses has told the same.
  await writeIfUnchanged(storage, uri, bytes, marker?.version);
  return true;
}

/** Problems in an event, and characters of each: EventBridge takes 256 KB. */
const TOLD_PROBLEMS = 20;
const TOLD_CHARACTERS = 1_000;

/** Tells operators of a blocked publication, every time that it is met. @throws Error of the announcer */
export function announceBlocked(
  root: string,
  { partition, generation, publication, problems }: BlockedPartition,
  announcer: Announcer,
): Promise<void> {
  const { audit } = publication;
  const detail: BlockedEvent = {
    ...manifestEvent(root, partition, generation, publication, audit),
    auditUri: below(root, audit),
    problems: problems.slice(0, TOLD_PROBLEMS).map((problem) => problem.slice(0, TOLD_CHARACTERS)),
    problemCount: problems.length,
    releaseCommand: releaseCommand(root, partition),
  };
  return announcer.send({ type: 'Scores Blocked', detail });
}

function releaseCommand(root: string, partition: string): string {
  const words = ['--scores', root, '--partition', partition].map(shellWord);
  return `npx ncs4cvr release ${words.join(' ')} --override 'REASON'`;
}

function publishedEvent(root: string, { partition, generation, current, hold }: Pointer): PublishedEvent {
  return { ...manifestEvent(root, partition, generation, current), hold };
}

/** @param more what the event's id depends on beside the manifest and the pointer's generation */
function manifestEvent(
  root: string,
  partition: string,
  generation: number,
  { manifest, model, rows, sha256: digest }: Publication,
  ...more: readonly string[]
): ManifestEvent {
  const scores = root.replace(/\/+$/, '');
  return {
    eventVersion: 1,
    deduplicationId: sha256(encodeJson([scores, partition, generation, digest, ...more])),
    scores,
    partition,
    generation,
    manifest,
    manifestUri: below(scores, manifest),
    model,
    rows,
  };
}

/** Undefined for a marker that can't be read: told twice is better than never. */
function announcedId(bytes: Uint8Array): string | undefined {
  try {
    return markerSchema.parse(decodeJson(bytes, { code: 'PUBLISH_DOCUMENT_INVALID' })).deduplicationId;
  } catch {
    return undefined;
  }
}
