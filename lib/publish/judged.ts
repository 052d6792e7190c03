import { SCORE_NAMES } from '../base/tasks.ts';
import type { Candidate, Judged, ScoreName, ScoreSummary } from '../gates/judged.ts';
import { addProfiles, refuseOtherFeatures } from '../profile/addProfiles.ts';
import { SCORE_BINS } from '../profile/scoreHistogram.ts';
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
  };
}

/**
 * @param manifest of at least one part
 * @param file that holds the manifest
 * @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID when its parts were profiled by different features
 */
export function candidateOf(manifest: Manifest, file: string): Candidate {
  const [first, ...others] = manifest.parts.map(({ profile }) => profile);
  for (const other of others) refuseOtherFeatures(first!, other, file);
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
