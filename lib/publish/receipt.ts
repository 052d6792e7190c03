import { z } from 'zod';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { type PartKeys, partKeysSchema } from '../keys/partKeys.ts';
import { type PartProfile, partProfileSchema } from '../profile/partProfile.ts';
import { scoreCountsSchema } from '../profile/scoreHistogram.ts';
import { type WorstSpans, worstSpansSchema } from '../profile/worstSpans.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';
import { pathSchema } from '../storage/uri.ts';
import { asScored, type DeadLetter, deadLettersSchema, writeDeadLetters } from './deadLetters.ts';
import { collectedPart, isMarkLength, placeReceipt, readMark } from './garbageMark.ts';
import { type ModelIdentity, modelIdentitySchema } from './modelIdentity.ts';
import {
  below,
  decodeOutputDocument,
  fingerprintsPath,
  OUTPUT_FORMAT_VERSION,
  partFolder,
  partPath,
  receiptPath,
} from './outputLayout.ts';
import { type Part, partSchema } from './part.ts';
import { readBackPart } from './readBackPart.ts';

/** Of one score column; null in a part without rows. */
const statisticsSchema = z.strictObject({
  min: z.number().nullable(),
  max: z.number().nullable(),
  mean: z.number().nullable(),
  /** Rows in each bin of scoreBinOf. */
  counts: scoreCountsSchema,
});

/** What a part is, found by reading it back, and what scoring has seen in its rows. */
export const receiptSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  ...partSchema.shape,
  /** In the part's file: `rows` without dead letters. */
  scoredRows: z.int().min(0),
  /** Rows that aren't scored; null where all are. */
  deadLetters: deadLettersSchema.nullable(),
  partition: z.string(),
  model: modelIdentitySchema,
  /** Of the part, below the output root. */
  path: pathSchema,
  /** Of the part's file. */
  sizeBytes: z.int(),
  /** Of the part's file. */
  sha256: z.string(),
  /** Of each score. */
  statistics: z.strictObject({ pctr: statisticsSchema, pcvr: statisticsSchema, pctcvr: statisticsSchema }),
  /** What rows and scores looked like, for the gates. */
  profile: partProfileSchema,
  /** Which spans lack the most values, for the gates. */
  worstSpans: worstSpansSchema,
  /** Row keys by their fingerprints, for the gates. */
  keys: partKeysSchema,
});
export type Receipt = Readonly<z.infer<typeof receiptSchema>>;

/** Whose part it is. */
export interface PartPlace {
  readonly root: string;
  readonly partition: string;
  readonly model: ModelIdentity;
}

/**
 * The parts of a partition that are done, whatever they are of: a receipt stands beside each, with its length in the name.
 * A request per 1,000 objects, however many parts there are.
 * @returns length in bytes by part
 */
export async function doneParts({
  root,
  partition,
}: Omit<PartPlace, 'model'>): Promise<ReadonlyMap<string, number>> {
  const [parts, receipts] = await Promise.all([
    listIfAny(below(root, partFolder(partition))),
    listIfAny(below(root, `receipts/${partition}`)),
  ]);
  const whole = receipts.filter(({ sizeBytes }) => !isMarkLength(sizeBytes));
  const named = new Set(whole.map(({ relativePath }) => relativePath));
  const done = new Map<string, number>();
  for (const { relativePath, sizeBytes } of parts) {
    const partId = relativePath.replace(/\.arrow$/, '');
    if (named.has(`${partId}-${sizeBytes}.json`)) done.set(partId, sizeBytes);
  }
  return done;
}

/** The receipt of a part that is done: undefined unless the part is there, and a receipt of its length. */
export async function findReceipt(partId: string, place: PartPlace): Promise<Receipt | undefined> {
  const part = below(place.root, partPath(place.partition, partId));
  const found = await storageFor(part).stat(part);
  return found === undefined ? undefined : readReceipt(partId, found.sizeBytes, place);
}

/** The receipt of a part of this length, if there is one and `gc` hasn't condemned the part. @param sizeBytes the part's */
export async function readReceipt(
  partId: string,
  sizeBytes: number,
  { root, partition }: Omit<PartPlace, 'model'>,
): Promise<Receipt | undefined> {
  const uri = below(root, receiptPath(partition, partId, sizeBytes));
  const found = await storageFor(uri).readVersioned(uri);
  if (found === undefined || readMark(found.bytes) !== undefined) return undefined;
  return decodeOutputDocument(found.bytes, receiptSchema, 'receipt', uri);
}

/** What scoring has found in a part's rows. */
export interface ScoredContent {
  readonly profile: PartProfile;
  readonly worstSpans: WorstSpans;
  readonly deadLetters: readonly DeadLetter[];
}

/**
 * Reads a part back and writes its receipt, unless there is one, and before it the fingerprints of its keys and its dead letters. All depend on
 * the part's rows and the bundle alone, so that all who write them write the same bytes. A part that `gc` has condemned is
 * kept by it.
 * @param scored the profile of the rows that were scored, and the others in the part's order, as whoever calls has found them
 * @param keyColumns the contract's row keys
 * @param written the part's version where this process has created it; whatever is there is read otherwise
 * @throws Ncs4cvrError PUBLISH_PART_INVALID when the part isn't what was to be scored; PUBLISH_PART_COLLECTED, retryable, when
 * `gc` deletes it meanwhile
 */
export async function writeReceipt(
  part: Part,
  { root, partition, model }: PartPlace,
  { profile, worstSpans, deadLetters: letters }: ScoredContent,
  keyColumns: readonly string[],
  written?: FileStat,
): Promise<Receipt> {
  const { partId, rows, spans } = part;
  const deadLetters = await writeDeadLetters(root, partition, part, letters);
  const scored = asScored({ ...part, deadLetters });
  const path = partPath(partition, partId);
  const uri = below(root, path);
  const { sizeBytes, sha256, statistics, keys, fingerprintBytes } = await readBackPart(
    uri,
    scored,
    keyColumns,
    written,
  ).catch((error: unknown) => {
    const isGone = error instanceof Ncs4cvrError && error.code === 'STORAGE_NOT_FOUND';
    throw isGone && written === undefined ? collectedPart(uri) : error;
  });
  let fingerprints: PartKeys['fingerprints'] = null;
  if (scored.rows > 0) {
    fingerprints = { path: fingerprintsPath(partition, partId), sizeBytes: fingerprintBytes.length };
    const fingerprintsUri = below(root, fingerprints.path);
    await storageFor(fingerprintsUri).createIfAbsent(fingerprintsUri, fingerprintBytes);
  }
  const receipt: Receipt = {
    formatVersion: OUTPUT_FORMAT_VERSION,
    partId,
    rows,
    spans,
    scoredRows: scored.rows,
    deadLetters,
    partition,
    model,
    path,
    sizeBytes,
    sha256,
    statistics,
    profile,
    worstSpans,
    keys: { ...keys, fingerprints },
  };
  const target = below(root, receiptPath(partition, partId, sizeBytes));
  await placeReceipt(target, encodeJson(receipt));
  // A collector of an earlier attempt may have taken them; unlike fingerprints, nobody can make them anew from the part.
  await writeDeadLetters(root, partition, part, letters);
  // An old part's mark, and the part with it, may have gone while the part was read. What was made here is too young for `gc`.
  if (written === undefined && (await storageFor(uri).stat(uri)) === undefined) throw collectedPart(uri);
  return receipt;
}
