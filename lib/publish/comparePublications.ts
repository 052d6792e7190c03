import type { RepeatedRows, RepeatedSpan } from '../gates/judgeKeys.ts';
import type { RepeatedContent } from '../gates/judgePublication.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import type { PublicationName } from './earlierPublications.ts';
import type { Manifest } from './manifest.ts';
import { isSameModel } from './modelIdentity.ts';

/** Repetitions within each part: of keys that are in two parts nothing is known here. */
export function repeatedWithinParts({ parts, rows }: Manifest): RepeatedRows {
  const repeatedRows = parts.reduce((sum, { keys }) => sum + keys.repeatedRows, 0);
  return { rows, repeatedRows, examples: [] };
}

/**
 * Spans of a manifest whose rows were published under other dates, found by their digests: with the same scores where the
 * model is the same, by their keys alone where it is another. Manifests are read one at a time.
 */
export async function compareContent(
  manifest: Manifest,
  { action }: GateSettings['repeatedContent'],
  names: readonly PublicationName[],
  read: (name: PublicationName) => Promise<Manifest | undefined>,
): Promise<RepeatedContent> {
  const compared: string[] = [];
  const rows: RepeatedSpan[] = [];
  const keys: RepeatedSpan[] = [];
  for (const name of action === 'off' ? [] : names) {
    const other = await read(name);
    if (other === undefined) continue;
    const { partition } = name;
    compared.push(partition);
    if (isSameModel(other.model, manifest.model)) rows.push(...shared(manifest, other, 'spans'));
    else keys.push(...shared(manifest, other, 'keySpans'));
  }
  return { compared, rows, keys };
}

/** Spans with rows whose digests both have. */
function shared(manifest: Manifest, other: Manifest, digests: 'spans' | 'keySpans'): RepeatedSpan[] {
  const known = new Set(
    other.parts.flatMap(({ spans, keys }) => keys[digests].filter((_, index) => spans[index]!.rows > 0)),
  );
  return manifest.parts.flatMap(({ spans, keys }) =>
    spans.flatMap(({ shard, rows }, index) =>
      rows > 0 && known.has(keys[digests][index]!) ? [{ shard, rows, partition: other.partition }] : [],
    ),
  );
}
