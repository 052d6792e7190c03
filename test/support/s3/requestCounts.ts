import type { S3Request } from './s3Double.ts';

/** Requests to S3 by what they were for. */
export interface RequestCounts {
  readonly total: number;
  /** By method and folder, such as `HEAD parts`; a listing is `LIST`, and under the folder that it is of. */
  readonly byKind: ReadonlyMap<string, number>;
  /** In words, most frequent first. @param perWhat how many of what the job worked on */
  table(perWhat: number): string;
}

/** Counts a job's requests. Shards that land are put by others and not counted. */
export function requestCounts(
  requests: readonly S3Request[],
  { input, scores }: { readonly input: string; readonly scores: string },
): RequestCounts {
  const byKind = new Map<string, number>();
  let total = 0;
  for (const { method, bucket, key, query } of requests) {
    const isListing = key === '';
    const uri = `s3://${bucket}/${isListing ? (query.get('prefix') ?? '') : key}`;
    const isInput = uri.startsWith(input);
    if (isInput && method === 'PUT') continue;
    total++;
    const folder = isInput
      ? 'input'
      : uri.startsWith(`${scores}/`)
        ? uri.slice(scores.length + 1).split('/')[0]
        : 'elsewhere';
    const kind = `${isListing ? 'LIST' : method} ${folder}`;
    byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
  }
  const table = (perWhat: number) =>
    [...byKind, ['total', total] as const]
      .sort(([, a], [, b]) => b - a)
      .map(
        ([kind, count]) =>
          `${kind.padEnd(20)}${String(count).padStart(6)}${(count / perWhat).toFixed(3).padStart(8)}`,
      )
      .join('\n');
  return { total, byKind, table };
}
