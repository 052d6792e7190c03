import { z } from 'zod';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { counted } from '../base/formatCount.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { type BadRows, deadLetterBudget } from '../job/badRows.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import type { ModelIdentity } from './modelIdentity.ts';
import { below, brokenShardPath, decodeOutputDocument, OUTPUT_FORMAT_VERSION } from './outputLayout.ts';
import { shardUri } from './span.ts';

/** A version of a shard that can't be read or scored, and why. */
export const brokenShardSchema = z.strictObject({
  /** As in a span. */
  shard: z.string(),
  /** Empty where it can't be looked at, such as a link that leads nowhere. */
  version: z.string(),
  /** Null where not even the footer could be read. */
  rows: z.int().min(0).nullable(),
  /** Of the error. */
  code: z.string(),
  /** Of the error. */
  message: z.string(),
});
export type BrokenShard = Readonly<z.infer<typeof brokenShardSchema>>;

/** What is noted of one. Not its rows: a part may have one span of many, and whoever cuts the partition knows the footer. */
export type BrokenNote = Omit<BrokenShard, 'rows'>;

/** Version of what a listing finds and can't look at. */
export const UNLISTABLE = '';

const documentSchema = brokenShardSchema
  .omit({ rows: true })
  .extend({ formatVersion: z.literal(OUTPUT_FORMAT_VERSION) });

/**
 * How often a run cuts a partition anew as long as more shards turn out to be broken: a part ends at the first one that its pages
 * tell, and whoever is to replace them wants to hear of all.
 */
export const MOST_CUTS = 20;

/** What errors are about that lie in a shard's bytes, or in its columns beside the contract. */
const OF_CONTENT = /^(SHARD|CONTRACT|PREDICTION|PART)_/;

/**
 * Does the error say that this version of a shard will never be scored? Not when the storage failed, when the shard was
 * replaced or deleted, or when a thread died that had this shard among others.
 */
export function isBrokenShard(error: unknown, uri: string): error is Ncs4cvrError {
  if (!(error instanceof Ncs4cvrError) || error.retryable || error.location.file !== uri) return false;
  return OF_CONTENT.test(error.code);
}

/** @param error of reading it */
export function brokenNoteOf(
  { code, message }: Ncs4cvrError,
  { shard, version }: Pick<BrokenShard, 'shard' | 'version'>,
): BrokenNote {
  return { shard, version, code, message };
}

export function brokenShardOf(
  { code, message }: Pick<BrokenShard, 'code' | 'message'>,
  { shard, version, rows }: Pick<BrokenShard, 'shard' | 'version' | 'rows'>,
): BrokenShard {
  return { shard, version, rows, code, message };
}

/** What couldn't score a shard. */
export interface BrokenFor {
  readonly model: ModelIdentity;
  readonly badRows?: BadRows | undefined;
}

/**
 * Under what a verdict stands: other code, another contract, or a job that leaves out single rows may be able to read what this
 * one can't.
 */
function idOf(
  { shard, version }: Pick<BrokenShard, 'shard' | 'version'>,
  { model, badRows }: BrokenFor,
): string {
  const named = [shard, version, model.contractFingerprint, CODE_VERSION];
  if (deadLetterBudget(badRows) !== undefined) named.push('deadLetter');
  return sha256(JSON.stringify(named));
}

/** Notes a broken shard below the output root, so that planners and publishers leave it out. */
export async function noteBrokenShard(
  root: string,
  partition: string,
  brokenFor: BrokenFor,
  { shard, version, code, message }: BrokenNote,
): Promise<void> {
  const uri = below(root, brokenShardPath(partition, idOf({ shard, version }, brokenFor)));
  const document = { formatVersion: OUTPUT_FORMAT_VERSION, shard, version, code, message };
  await storageFor(uri).createIfAbsent(uri, encodeJson(document));
}

/** Which of these shards were noted as broken: a request for the listing, and one for each that is. */
export async function notedBrokenShards(
  root: string,
  partition: string,
  brokenFor: BrokenFor,
  shards: readonly { readonly shard: string; readonly version: string }[],
): Promise<ReadonlyMap<string, BrokenNote>> {
  const folder = below(root, `broken/${partition}`);
  const listed = new Set((await listIfAny(folder)).map(({ relativePath }) => relativePath));
  const found = new Map<string, BrokenNote>();
  if (listed.size === 0) return found;
  for (const shard of shards) {
    const id = idOf(shard, brokenFor);
    if (!listed.has(`${id}.json`)) continue;
    const uri = below(root, brokenShardPath(partition, id));
    const bytes = await storageFor(uri).readWhole(uri);
    const { formatVersion: _, ...broken } = decodeOutputDocument(
      bytes,
      documentSchema,
      'note of a broken shard',
      uri,
    );
    found.set(shard.shard, broken);
  }
  return found;
}

/** In one line, for operators. */
export function describeBrokenShard(inputUri: string, { shard, rows, message }: BrokenShard): string {
  return `${shardUri(inputUri, shard)}, ${rows === null ? 'rows unknown' : counted(rows, 'row')}: ${message}`;
}
