import type { Candidate } from '../gates/judged.ts';
import type { RepeatedRows, SpanElsewhere } from '../gates/judgeKeys.ts';
import type { RepeatedContent } from '../gates/judgePublication.ts';
import { repeatsFeatures } from '../gates/repeatsFeatures.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import { findRepeatedKeys } from '../keys/findRepeatedKeys.ts';
import { repeatedContent } from '../keys/repeatedContent.ts';
import { asScored } from './deadLetters.ts';
import type { PublicationName } from './earlierPublications.ts';
import { candidateOf } from './judged.ts';
import type { Manifest } from './manifest.ts';

/** Rows of a manifest whose key an earlier one has too. @returns undefined where nobody wants to know */
export async function countRepeatedKeys(
  root: string,
  { parts }: Manifest,
  { action }: GateSettings['repeatedKeys'],
): Promise<RepeatedRows | undefined> {
  if (action === 'off') return undefined;
  return findRepeatedKeys(root, parts.map(asScored));
}

/** Reads another publication and compares with it. @returns undefined where it can't be read */
export type CompareWith = <T>(
  name: PublicationName,
  compare: (other: Manifest, file: string) => T,
) => Promise<T | undefined>;

/**
 * Spans of a manifest whose rows were published under other dates, found by their digests, or as a whole by what was counted of
 * them. Manifests are read one at a time: each may have thousands of parts.
 * @param candidate the manifest with its features; without it, rows under other keys aren't looked for
 * @param own what the partition shows, unless an operator has released it: its rows may be published again, wherever else they are
 */
export async function compareContent(
  {
    manifest,
    candidate,
    own,
  }: { readonly manifest: Manifest; readonly candidate?: Candidate; readonly own?: Manifest | undefined },
  { action }: GateSettings['repeatedContent'],
  names: readonly PublicationName[],
  compareWith: CompareWith,
): Promise<Pick<RepeatedContent, 'compared' | 'rows' | 'keys' | 'features'>> {
  const scoredOf = ({ parts, ...of }: Manifest) => ({ ...of, parts: parts.map(asScored) });
  const scored = scoredOf(manifest);
  const visible = own === undefined ? undefined : scoredOf(own);
  const compared: string[] = [];
  const found: Record<'rows' | 'keys' | 'features', SpanElsewhere[]> = { rows: [], keys: [], features: [] };
  for (const name of action === 'off' ? [] : names) {
    const { partition } = name;
    const same = await compareWith(name, (other, otherFile) => {
      const spans = repeatedContent(scored, [scoredOf(other)], visible);
      // Before profiles of thousands of parts are added up.
      if (candidate === undefined || spans.length > 0 || manifest.rows !== other.rows) return spans;
      if (scored.parts.length === 0 || other.parts.length === 0) return spans;
      return repeatsFeatures(candidate, candidateOf(other, otherFile)) ? featureSpans(scored.parts) : spans;
    });
    if (same === undefined) continue;
    compared.push(partition);
    for (const { shard, rows, same: kind } of same) found[kind].push({ shard, rows, partition });
  }
  return { compared, ...found };
}

/** All that have a row. */
function featureSpans(parts: readonly Pick<Manifest['parts'][number], 'spans'>[]) {
  const spans = parts.flatMap((part) => part.spans).filter(({ rows }) => rows > 0);
  return spans.map(({ shard, rows }) => ({ shard, rows, same: 'features' as const }));
}
