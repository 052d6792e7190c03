import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { concatenatePredictions } from '../arrow/concatenatePredictions.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { deadLetterBudget } from '../job/badRows.ts';
import { addProfiles, refuseOtherFeatures } from '../profile/addProfiles.ts';
import { partProfileSchema } from '../profile/partProfile.ts';
import { countedSpansSchema, WorstSpanFinder } from '../profile/worstSpans.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { DeadLetterCollector, deadLetterSchema } from './deadLetters.ts';
import { below, decodeOutputDocument, segmentFolder } from './outputLayout.ts';
import { type PartCall, type ScoredPartFile, scorePartRows, WRITE_ONCE } from './scorePartRows.ts';
import type { PartProgress } from './workUnit.ts';

export interface CallLimits {
  /** Where an earlier call has stopped. */
  readonly progress?: PartProgress;
  /**
   * Given for a part that may take more than one call. Asked before every row group but the first: is there time for so many
   * rows more, after `rowsSoFar` rows in so many seconds?
   */
  readonly mayGoOn?: (nextRows: number, rowsSoFar: number, seconds: number) => boolean;
}

/** Where the next call goes on. */
export interface StoppedPart {
  readonly progress: PartProgress;
  readonly rowsScored: number;
}

/** What stands beside a segment. */
const segmentSchema = z.strictObject({
  profile: partProfileSchema,
  spans: countedSpansSchema,
  deadLetters: z.array(deadLetterSchema).readonly(),
});

/**
 * Scores what is left of a part, or as much of it as there is time for, into a segment of its own; the call that comes to the
 * end joins all segments to the part.
 * @throws as `scorePartRows`
 */
export async function scorePartInCalls(
  call: PartCall,
  partUri: string,
  { progress, mayGoOn }: CallLimits,
): Promise<ScoredPartFile | StoppedPart> {
  const { part, bundle } = call;
  const { root, partition, inputUri, badRows } = call.source;
  // Of which rows is known only at its end, and two workers may stop at different places: every segment has a name of its own.
  const segment = `${segmentFolder(partition, part.partId)}/${randomUUID()}.arrow`;
  const { stoppedAt, rowCount, ...scored } = await scorePartRows(call, below(root, segment), {
    ...(progress === undefined ? {} : { from: progress }),
    ...(mayGoOn === undefined ? {} : { mayGoOn }),
  });
  const before = progress?.segments ?? [];
  const segments = [...before, segment];
  if (stoppedAt !== undefined) {
    // Before anybody knows of the segment: it says what is in it, or nobody goes on from it.
    const { profile, spans, deadLetters } = scored;
    await writeWhole(descriptionOf(below(root, segment)), encodeJson({ profile, spans, deadLetters }));
    return { progress: { segments, ...stoppedAt }, rowsScored: rowCount };
  }
  let { profile } = scored;
  const worst = new WorstSpanFinder(bundle.layout, bundle.reference);
  const budget = deadLetterBudget(badRows);
  const letters = budget && new DeadLetterCollector(part, inputUri, budget);
  for (const path of before) {
    const uri = descriptionOf(below(root, path));
    const described = await readDescription(uri);
    for (const { features } of [described.profile, { features: described.spans.worst }]) {
      refuseOtherFeatures(profile.features, features, uri);
    }
    profile = addProfiles(profile, described.profile);
    worst.addAll(described.spans);
    letters?.add(described.deadLetters);
  }
  worst.addAll(scored.spans);
  letters?.add(scored.deadLetters);
  const uris = segments.map((path) => below(root, path));
  // Their record batches one after the other: the bytes of a single call.
  await concatenatePredictions(uris, partUri, WRITE_ONCE);
  return {
    content: { profile, worstSpans: worst.found(), deadLetters: letters?.letters ?? [] },
    rowsScored: rowCount,
    leftovers: [...uris, ...before.map((path) => descriptionOf(below(root, path)))],
  };
}

function descriptionOf(segmentUri: string): string {
  return segmentUri.replace(/arrow$/, 'json');
}

async function readDescription(uri: string): Promise<z.infer<typeof segmentSchema>> {
  return decodeOutputDocument(await storageFor(uri).readWhole(uri), segmentSchema, 'segment', uri);
}
