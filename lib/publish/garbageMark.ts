import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { HOUR_MILLIS } from '../base/calendarDay.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';

/**
 * What stands in the place of a part's receipt once `gc` has found the part to be garbage. Whoever wants the part replaces
 * the mark by a receipt, whoever deletes the part replaces it by a claim first: both on condition that it hasn't changed, so
 * one of them loses.
 */
const markSchema = z.strictObject({
  garbage: z.enum(['condemned', 'claimed']),
  /** Of the collector's clock. */
  sinceMillis: z.int(),
  /** Two marks never have the same bytes, from which S3 makes the version. */
  token: z.string(),
});
type GarbageMark = Readonly<z.infer<typeof markSchema>>;

/** A mark has about 100 bytes, a receipt at least 500: a listing tells them apart. */
const LONGEST_MARK_BYTES = 200;

export function isMarkLength(sizeBytes: number): boolean {
  return sizeBytes <= LONGEST_MARK_BYTES;
}

/** A claim that is older is its owner's no more: the collector has died, or has given up. Well above what clocks differ by. */
const CLAIM_MILLIS = HOUR_MILLIS;
/** How long after its claim a collector may still send a deletion. */
export const CLAIM_USE_MILLIS = 300_000;

export function newMark(garbage: GarbageMark['garbage']): Uint8Array {
  const mark: GarbageMark = { garbage, sinceMillis: Date.now(), token: randomUUID() };
  return encodeJson(mark);
}

/** Undefined for a receipt, and for anything else that isn't a mark. */
export function readMark(bytes: Uint8Array): GarbageMark | undefined {
  if (!isMarkLength(bytes.length)) return undefined;
  try {
    return markSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

/**
 * Puts a receipt in its place, unless there is one, instead of a mark.
 * @throws Ncs4cvrError PUBLISH_PART_COLLECTED, retryable, while a collector deletes the part
 */
export async function placeReceipt(uri: string, receipt: Uint8Array): Promise<void> {
  const storage = storageFor(uri);
  if ((await storage.createIfAbsent(uri, receipt)) !== undefined) return;
  for (;;) {
    const found = await storage.readVersioned(uri);
    if (found !== undefined) {
      const mark = readMark(found.bytes);
      if (mark === undefined) return;
      const isOwned = mark.garbage === 'claimed' && Date.now() - mark.sinceMillis < CLAIM_MILLIS;
      if (!isOwned) {
        if ((await storage.replaceIfVersion(uri, receipt, found.version)) !== undefined) return;
        continue;
      }
    }
    // A mark that has gone took the part with it.
    throw collectedPart(uri);
  }
}

export function collectedPart(uri: string): Ncs4cvrError {
  return new Ncs4cvrError('PUBLISH_PART_COLLECTED', '`gc` deletes this old part; it is to be scored anew', {
    file: uri,
    retryable: true,
  });
}
