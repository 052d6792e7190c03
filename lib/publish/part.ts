import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { type BadRows, deadLetterBudget } from '../job/badRows.ts';
import { pathSchema } from '../storage/uri.ts';
import type { ModelIdentity } from './modelIdentity.ts';
import { cutShard, type NamedShape, type Span, spanSchema, wholeSpan } from './span.ts';

/** What becomes one output file: spans of one shard or of several, in the order of the input. */
export const partSchema = z.strictObject({
  /** A name of one segment. */
  partId: pathSchema.refine((name) => !name.includes('/'), 'expected a name'),
  /** Of its shards. */
  rows: z.int().min(0),
  /** What of which shards, in the order of the rows. */
  spans: z.array(spanSchema).min(1).readonly(),
});
export type Part = Readonly<z.infer<typeof partSchema>>;

/** In the digest, so that parts of another format have other names. */
const PART_FORMAT = 2;

/**
 * The part's name: the same work has the same one, any other work another one. 64 hexadecimal digits.
 * @internal exported for tests: no cut has the spans that must not share a name
 */
export function partIdOf(spans: readonly Span[], model: ModelIdentity, badRows?: BadRows): string {
  const inputs = spans.map(({ shard, version, firstRowGroup, endRowGroup }) => [
    shard,
    version,
    firstRowGroup,
    endRowGroup,
  ]);
  const named = [PART_FORMAT, inputs, model.sha256, model.contractFingerprint];
  // Without bad rows it is other work: what scoring has left under one policy isn't gone on with under the other.
  if (deadLetterBudget(badRows) !== undefined) named.push('deadLetter');
  return sha256(JSON.stringify(named));
}

/** A part of shards without rows, or of tiny ones, ends after about so many. */
const SHARDS_PER_PART = 5_000;

/**
 * Cuts a partition's shards into parts of about `targetRows` rows. A shard of that size or more makes parts of its own. Smaller
 * ones are put together, and a part ends after those that a hash of their name picks, in proportion to their rows: on
 * average a part has the target, a few have several times as many. What a cut depends on is one shard and never its
 * neighbours, so that a shard which comes, goes or is replaced changes at most two parts beside its own.
 * @param shards in binary order; the parts hold their row groups in this order
 */
export function cutParts(
  shards: readonly NamedShape[],
  targetRows: number,
  model: ModelIdentity,
  badRows?: BadRows,
): Part[] {
  const parts: Part[] = [];
  let spans: Span[] = [];
  const close = () => {
    if (spans.length === 0) return;
    const rows = spans.reduce((sum, span) => sum + span.rows, 0);
    parts.push({ partId: partIdOf(spans, model, badRows), rows, spans });
    spans = [];
  };
  for (const shard of shards) {
    const whole = wholeSpan(shard);
    if (whole.rows >= targetRows) {
      close();
      for (const span of cutShard(shard, targetRows)) {
        spans = [span];
        close();
      }
      continue;
    }
    spans.push(whole);
    if (endsPart(whole, targetRows)) close();
  }
  close();
  return parts;
}

function endsPart({ shard, rows }: Span, targetRows: number): boolean {
  return fractionOf(shard) < rows / targetRows + 1 / SHARDS_PER_PART;
}

/** Evenly distributed in [0, 1), the same for a name everywhere. */
function fractionOf(name: string): number {
  return Number.parseInt(sha256(name).slice(0, 13), 16) / 2 ** 52;
}

/** Tells the parts of one state of a partition's input from those of another. */
export function digestOfParts(parts: readonly Pick<Part, 'partId'>[]): string {
  return sha256(JSON.stringify(parts.map(({ partId }) => partId)));
}

/**
 * Why a partition is incomplete, in words: other parts than those of its plan are missing where its input has changed; the
 * plan's own ones, where it took them for done and somebody has removed them since.
 */
export function describeMissing(missing: readonly Part[], planned: readonly Part[]): string {
  const ids = new Set(planned.map(({ partId }) => partId));
  const count = missing.length === 1 ? '1 part is missing' : `${missing.length} parts are missing`;
  return missing.every(({ partId }) => ids.has(partId))
    ? `${count}: done when this was planned, and gone from the output root since`
    : `${count}: the input has changed, or has more broken shards than one run looks for; a plan names those that are known`;
}
