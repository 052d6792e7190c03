import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import type { ModelIdentity } from './modelIdentity.ts';

/** A span of row groups of one version of a shard: what becomes one part. */
export const spanSchema = z.strictObject({
  inputUri: z.string(),
  /** ETag in S3. */
  inputVersion: z.string(),
  firstRowGroup: z.int().min(0),
  /** Exclusive. */
  endRowGroup: z.int().min(0),
  rows: z.int().min(0),
});
export type Span = Readonly<z.infer<typeof spanSchema>>;

/** The part's name: the same work has the same one, any other work another one. 64 hexadecimal digits. */
export function partIdOf(span: Span, model: ModelIdentity): string {
  const { inputUri, inputVersion, firstRowGroup, endRowGroup } = span;
  const { sha256: modelSha256, contractFingerprint } = model;
  const identity = [1, inputUri, inputVersion, firstRowGroup, endRowGroup, modelSha256, contractFingerprint];
  return sha256(JSON.stringify(identity));
}

/**
 * Cuts a shard into spans of whole row groups of about `targetRows` rows: a span is closed when it has reached them.
 * Depends on the footer and the target alone, so that every process cuts alike. Row groups without rows belong to a span too.
 * @param rowCounts of the row groups, in file order; a shard without any has one span without rows
 */
export function cutSpans(
  inputUri: string,
  inputVersion: string,
  rowCounts: readonly number[],
  targetRows: number,
): Span[] {
  const spans: Span[] = [];
  let firstRowGroup = 0;
  let rows = 0;
  rowCounts.forEach((count, rowGroup) => {
    rows += count;
    const isLast = rowGroup + 1 === rowCounts.length;
    if (rows < targetRows && !isLast) return;
    spans.push({ inputUri, inputVersion, firstRowGroup, endRowGroup: rowGroup + 1, rows });
    firstRowGroup = rowGroup + 1;
    rows = 0;
  });
  if (spans.length > 0) return spans;
  return [{ inputUri, inputVersion, firstRowGroup: 0, endRowGroup: 0, rows: 0 }];
}
