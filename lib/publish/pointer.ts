import { z } from 'zod';
import { counted, formatCount } from '../base/formatCount.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { writeIfUnchanged } from '../storage/storage.ts';
import { pathSchema } from '../storage/uri.ts';
import { isSameModel, modelIdentitySchema } from './modelIdentity.ts';
import { below, decodeOutputDocument, OUTPUT_FORMAT_VERSION, pointerPath } from './outputLayout.ts';

/** A manifest that a partition has, or had. */
export const publicationSchema = z.strictObject({
  /** Path below the output root. */
  manifest: pathSchema,
  /** Of the manifest's bytes. */
  sha256: z.string(),
  model: modelIdentitySchema,
  /**
   * URI of that model's bundle: a shard that lands later is scored with it. Not in the manifest, whose bytes follow from
   * the work.
   */
  modelUri: z.string(),
  /** That readers find. */
  rows: z.int(),
  /** Path of the audit document below the output root. */
  audit: pathSchema,
  /** A gate had blocked it, and an operator has released it; absent otherwise. */
  isReleased: z.literal(true).optional(),
  /** What of its input the job did without; absent where it is all of it. */
  leftOut: z
    .strictObject({
      /** That can't be scored. */
      rows: z.int().min(0),
      /** That are broken. */
      shards: z.int().min(0),
    })
    .optional(),
});
export type Publication = Readonly<z.infer<typeof publicationSchema>>;

/** @internal exported for the reference of documents */
export const pointerSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  partition: z.string(),
  /** Counts the flips, from 1. */
  generation: z.int().min(1),
  /** Of the flip that chose the current model: a run's or a roll-back's. Those since have published other shards of it. */
  modelSince: z.int().min(1),
  /** What readers see. */
  current: publicationSchema,
  /** What was current before, the last one first. */
  history: z.array(publicationSchema).readonly(),
  /** Set by a roll-back: publishers leave the partition alone until a run lifts it. */
  hold: z.string().nullable(),
});
export type Pointer = Readonly<z.infer<typeof pointerSchema>>;

/** A pointer as it was read, for a replacement that fails when it has changed since. */
export interface PointerState {
  /** Undefined for a partition that was never published. */
  readonly pointer: Pointer | undefined;
  readonly version: string | undefined;
}

/** How many earlier manifests a pointer names: so far one can roll back. */
const HISTORY_LENGTH = 20;

export async function readPointer(root: string, partition: string): Promise<PointerState> {
  const uri = below(root, pointerPath(partition));
  const found = await storageFor(uri).readVersioned(uri);
  if (found === undefined) return { pointer: undefined, version: undefined };
  const pointer = decodeOutputDocument(found.bytes, pointerSchema, 'pointer', uri);
  return { pointer, version: found.version };
}

/**
 * Why a run may not publish its partition, asked before the work: what can't be published isn't scored. A publication asks again.
 * @returns the words of whoever rolled it back; undefined where nothing is held, or the run lifts the hold
 */
export async function whyHeld({
  root,
  partition,
  liftHold,
}: {
  readonly root: string;
  readonly partition: string;
  readonly liftHold: boolean;
}): Promise<string | undefined> {
  if (liftHold) return undefined;
  const { pointer } = await readPointer(root, partition);
  return pointer?.hold ?? undefined;
}

/**
 * The one step by which scores become visible.
 * @returns undefined when the pointer isn't what `state` says any more
 */
export async function flipPointer(
  root: string,
  partition: string,
  { pointer, version }: PointerState,
  current: Publication,
  hold: string | null,
): Promise<Pointer | undefined> {
  const others = (pointer === undefined ? [] : [pointer.current, ...pointer.history]).filter(
    ({ sha256 }) => sha256 !== current.sha256,
  );
  const generation = (pointer?.generation ?? 0) + 1;
  const keepsModel = pointer !== undefined && isSameModel(pointer.current.model, current.model);
  const next: Pointer = {
    formatVersion: OUTPUT_FORMAT_VERSION,
    partition,
    generation,
    modelSince: keepsModel && hold === null ? pointer.modelSince : generation,
    current,
    history: others.slice(0, HISTORY_LENGTH),
    hold,
  };
  const uri = below(root, pointerPath(partition));
  const written = await writeIfUnchanged(storageFor(uri), uri, encodeJson(next), version);
  return written === undefined ? undefined : next;
}

/** What readers see of a partition, such as `650 rows of v7, generation 3`. */
export function describePointer({ current, generation }: Pointer): string {
  return `${formatCount(current.rows)} rows of ${current.model.version}, generation ${generation}`;
}

/** What readers don't see of its input, such as `without 4 rows that can't be scored`; undefined where nothing is missing. */
export function describeMissingInput({ leftOut }: Pick<Publication, 'leftOut'>): string | undefined {
  if (leftOut === undefined) return undefined;
  const { rows, shards } = leftOut;
  const kinds = [
    ...(rows === 0 ? [] : [`${counted(rows, 'row')} that can't be scored`]),
    ...(shards === 0 ? [] : [counted(shards, 'broken shard')]),
  ];
  return `without ${kinds.join(' and ')}`;
}
