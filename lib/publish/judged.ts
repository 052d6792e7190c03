import { SCORE_NAMES, type ScoreName } from '../base/tasks.ts';
import type { Candidate, Judged, ScoreSummary, ShiftedShard, WorstShard } from '../gates/judged.ts';
import { addProfiles, refuseOtherFeatures } from '../profile/addProfiles.ts';
import { SCORE_BINS } from '../profile/scoreHistogram.ts';
import { leastShare } from '../profile/worstSpans.ts';
import type { Manifest } from './manifest.ts';

/** A manifest as gates see it, where it is what others are compared with. */
export function judgedOf({ partition, model, rows, parts }: Manifest): Judged {
  const scores = Object.fromEntries(SCORE_NAMES.map((name) => [name, summaryOf(parts, name)]));
  return {
    partition,
    model: `${model.sha256} ${model.contractFingerprint}`,
    rows,
    scores: scores as Record<ScoreName, ScoreSummary>,
    keyTypes: parts.map(({ keys }) => keys.types),
    worstShards: worstShardsOf(parts),
    shiftedShards: shiftedShardsOf(parts),
  };
}

/**
 * With its features.
 * @param manifest of at least one part
 * @param file that holds the manifest
 * @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID when its parts were profiled by different features
 */
export function candidateOf(manifest: Manifest, file: string): Candidate {
  const [first, ...others] = manifest.parts.map(({ profile }) => profile);
  for (const other of others) refuseOtherFeatures(first!.features, other.features, file);
  return { ...judgedOf(manifest), profile: others.reduce(addProfiles, first!) };
}

function summaryOf(parts: Manifest['parts'], name: ScoreName): ScoreSummary {
  const counts = new Array<number>(SCORE_BINS).fill(0);
  let [rows, total] = [0, 0];
  let [min, max]: [number | null, number | null] = [null, null];
  for (const part of parts) {
    const score = part.statistics[name];
    for (const [bin, count] of score.counts.entries()) counts[bin]! += count;
    if (score.mean === null || score.min === null || score.max === null) continue;
    rows += part.scoredRows;
    total += part.scoredRows * score.mean;
    min = Math.min(min ?? score.min, score.min);
    max = Math.max(max ?? score.max, score.max);
  }
  return { mean: rows === 0 ? null : total / rows, min, max, counts };
}

/** The worst of all parts. A span that a part doesn't have, in a damaged document, counts for nothing. */
function worstShardsOf(parts: Manifest['parts']): Judged['worstShards'] {
  const found = new Map<string, { missing: WorstShard | null; unseen: WorstShard | null }>();
  for (const { spans, worstSpans } of parts) {
    for (const { name, ...worst } of worstSpans) {
      const known = found.get(name) ?? { missing: null, unseen: null };
      found.set(name, known);
      for (const loss of ['missing', 'unseen'] as const) {
        const here = worst[loss];
        const shard = here === null ? undefined : spans[here.span]?.shard;
        if (here === null || shard === undefined) continue;
        const { count, of } = here;
        const other = known[loss];
        if (other === null || leastShare(here) > leastShare(other)) known[loss] = { shard, count, of };
      }
    }
  }
  return found;
}

/**
 * As `worstShardsOf`. Which is the most shifted one depends on the reference, which whoever judges has. Parts of one shard are
 * added up: of a large file in the order of time every part is shifted, and the file isn't. A single shard has none beside it.
 */
function shiftedShardsOf(parts: Manifest['parts']): Judged['shiftedShards'] {
  const shards = new Set(parts.flatMap(({ spans }) => spans.map(({ shard }) => shard)));
  const found = new Map<string, Map<string, readonly number[]>>();
  if (shards.size < 2) return new Map();
  for (const { spans, worstSpans } of parts) {
    for (const { name, shifted } of worstSpans) {
      const known = found.get(name) ?? new Map<string, readonly number[]>();
      if (shifted.length > 0) found.set(name, known);
      for (const { span, bins } of shifted) {
        const shard = spans[span]?.shard;
        if (shard === undefined) continue;
        const other = known.get(shard);
        known.set(shard, other === undefined ? bins : bins.map((count, bin) => count + (other[bin] ?? 0)));
      }
    }
  }
  const listed = (known: ReadonlyMap<string, readonly number[]>) =>
    [...known].map(([shard, bins]): ShiftedShard => ({ shard, bins }));
  return new Map([...found].map(([name, known]) => [name, listed(known)]));
}
