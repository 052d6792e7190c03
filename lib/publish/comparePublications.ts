import type { RepeatedRows, SpanElsewhere } from '../gates/judgeKeys.ts';
import type { RepeatedContent } from '../gates/judgePublication.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import { findRepeatedKeys } from '../keys/findRepeatedKeys.ts';
import { repeatedContent } from '../keys/repeatedContent.ts';
import { asScored } from './deadLetters.ts';
import type { PublicationName } from './earlierPublications.ts';
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

/**
 * Spans of a manifest whose rows were published under other dates, found by their digests. Manifests are read one at a time: each
 * may have thousands of parts.
 */
export async function compareContent(
  manifest: Manifest,
  { action }: GateSettings['repeatedContent'],
  names: readonly PublicationName[],
  read: (name: PublicationName) => Promise<Manifest | undefined>,
): Promise<Pick<RepeatedContent, 'compared' | 'rows' | 'keys'>> {
  const scoredOf = ({ parts, ...of }: Manifest) => ({ ...of, parts: parts.map(asScored) });
  const scored = scoredOf(manifest);
  const compared: string[] = [];
  const found = { rows: [] as SpanElsewhere[], keys: [] as SpanElsewhere[] };
  for (const name of action === 'off' ? [] : names) {
    const other = await read(name);
    if (other === undefined) continue;
    const { partition } = name;
    compared.push(partition);
    for (const { shard, rows, same } of repeatedContent(scored, [scoredOf(other)])) {
      found[same].push({ shard, rows, partition });
    }
  }
  return { compared, ...found };
}
