import { z } from 'zod';
import type { ShardShape } from '../parquet/readShardShape.ts';
import { joinPath, shardPathSchema } from '../storage/uri.ts';

/** A span of row groups of one version of a shard: what a part is made of. */
export const spanSchema = z.strictObject({
  /** Path below the partition's input folder, with forward slashes. */
  shard: shardPathSchema,
  /** ETag in S3. */
  version: z.string(),
  /** Of the shard. */
  sizeBytes: z.int().min(0),
  /** From 0. */
  firstRowGroup: z.int().min(0),
  /** Exclusive. */
  endRowGroup: z.int().min(0),
  /** Of these row groups. */
  rows: z.int().min(0),
});
export type Span = Readonly<z.infer<typeof spanSchema>>;

/** What a shard's footer says about how it can be cut, under the shard's name as in `Span`. */
export interface NamedShape extends ShardShape {
  readonly shard: string;
}

export function shardUri(inputUri: string, shard: string): string {
  return joinPath(inputUri, shard);
}

/** The whole of a shard as one span. */
export function wholeSpan({ shard, version, sizeBytes, rowCounts }: NamedShape): Span {
  const rows = rowCounts.reduce((sum, count) => sum + count, 0);
  return { shard, version, sizeBytes, firstRowGroup: 0, endRowGroup: rowCounts.length, rows };
}

/**
 * Cuts a shard into spans of whole row groups of about `targetRows` rows: a span is closed when it has reached them. Row
 * groups without rows belong to a span too.
 */
export function cutShard(shape: NamedShape, targetRows: number): Span[] {
  const { shard, version, sizeBytes, rowCounts } = shape;
  const spans: Span[] = [];
  let firstRowGroup = 0;
  let rows = 0;
  rowCounts.forEach((count, rowGroup) => {
    rows += count;
    const isLast = rowGroup + 1 === rowCounts.length;
    if (rows < targetRows && !isLast) return;
    spans.push({ shard, version, sizeBytes, firstRowGroup, endRowGroup: rowGroup + 1, rows });
    firstRowGroup = rowGroup + 1;
    rows = 0;
  });
  return spans.length > 0 ? spans : [wholeSpan(shape)];
}
