import { addDigests } from './keySum.ts';
import type { PartKeys } from './partKeys.ts';

/** As much of a receipt as says what its part's rows are. */
interface DigestedPart {
  readonly spans: readonly { readonly shard: string; readonly rows: number }[];
  readonly keys: Pick<PartKeys, 'spans' | 'keySpans'>;
}

export interface DigestedPublication {
  /** Such as `dt=2022-05-06`. */
  readonly partition: string;
  readonly parts: readonly DigestedPart[];
}

/** A span whose rows another partition has published too. */
export interface RepeatedSpan {
  readonly shard: string;
  readonly rows: number;
  readonly elsewhere: { readonly partition: string; readonly shard: string };
  /** Keys and scores, or the keys alone: those of another model, or of rows whose features differ. */
  readonly same: 'rows' | 'keys';
}

/**
 * Finds the spans whose rows another partition holds too, as one span with as many rows of the same keys, in whatever order; and
 * finds all spans where both partitions hold the same rows in all, however those are spread over shards. Rows that the other
 * partition has only in part, and cut into spans differently, are not found. Digests have 64 bits: one false find in 10^7
 * publications of a million spans each.
 * @param others in the order in which they are named; the publication's own partition among them is passed over
 * @param visible what the publication's own partition shows already: of rows that it has with their scores, whose copy was published
 * elsewhere since, the keys alone count
 */
export function repeatedContent(
  { partition, parts }: DigestedPublication,
  others: readonly DigestedPublication[],
  visible?: DigestedPublication,
): RepeatedSpan[] {
  const own = new Set(visible?.parts.flatMap(namedSpans).map(({ names }) => names.rows));
  const published = new Map<string, RepeatedSpan['elsewhere']>();
  const whole = wholeOf(parts);
  const wholes = new Map<string, RepeatedSpan['elsewhere']>();
  for (const other of others) {
    if (other.partition === partition) continue;
    for (const name of Object.values(wholeOf(other.parts))) {
      if (!wholes.has(name)) wholes.set(name, { partition: other.partition, shard: firstShardOf(other) });
    }
    for (const { names, shard } of other.parts.flatMap(namedSpans)) {
      for (const name of Object.values(names)) {
        if (!published.has(name)) published.set(name, { partition: other.partition, shard });
      }
    }
  }
  return parts.flatMap(namedSpans).flatMap(({ names, shard, rows }) => {
    for (const same of own.has(names.rows) ? (['keys'] as const) : (['rows', 'keys'] as const)) {
      const elsewhere = published.get(names[same]) ?? wholes.get(whole[same]);
      if (elsewhere !== undefined) return [{ shard, rows, elsewhere, same }];
    }
    return [];
  });
}

/** As a single span of all rows would be named: its digests are sums over rows. */
function wholeOf(parts: readonly DigestedPart[]) {
  const rows = parts.flatMap(({ spans }) => spans).reduce((total, span) => total + span.rows, 0);
  return {
    rows: `rows ${rows} ${addDigests(parts.flatMap(({ keys }) => keys.spans))}`,
    keys: `keys ${rows} ${addDigests(parts.flatMap(({ keys }) => keys.keySpans))}`,
  };
}

function firstShardOf({ parts }: DigestedPublication): string {
  return parts.flatMap(({ spans }) => spans).find(({ rows }) => rows > 0)?.shard ?? '';
}

function namedSpans({ spans, keys }: DigestedPart) {
  return spans.flatMap(({ shard, rows }, index) => {
    if (rows === 0) return [];
    const names = { rows: `rows ${rows} ${keys.spans[index]}`, keys: `keys ${rows} ${keys.keySpans[index]}` };
    return [{ shard, rows, names }];
  });
}
