import { sumOf } from '../base/sumOf.ts';
import type { FeatureCounts } from '../features/featureEncoder.ts';
import type { TalliedSpans } from './worstSpans.ts';

/** Rows of a span that are encoded one after the other. */
interface SpanRows {
  readonly span: number;
  readonly rows: number;
}

/** Tells the counts of an encoder by span: what it has counted when a span's last row is encoded, less what it had before. */
export class SpanTally {
  readonly #counts: readonly FeatureCounts[];
  readonly #spans: readonly SpanRows[];
  readonly #found: Float64Array<ArrayBuffer>;
  /** What had been counted before the span at hand. */
  readonly #before: Float64Array;
  readonly #now: Float64Array;
  #foundSpans = 0;
  /** Of more rows than were told nobody knows the span; whoever compares row counts refuses them. */
  #rowsLeft = Number.POSITIVE_INFINITY;

  /**
   * @param counts an encoder's, which nobody sets back meanwhile
   * @param spans of the rows that it is going to encode, in order
   */
  constructor(counts: readonly FeatureCounts[], spans: readonly SpanRows[]) {
    this.#counts = counts;
    this.#spans = spans.filter(({ rows }) => rows > 0);
    const width = sumOf(
      counts,
      ({ binCounter }) => 3 + (binCounter === undefined ? 0 : binCounter.ends.length + 1),
    );
    this.#found = new Float64Array(this.#spans.length * (1 + width));
    this.#before = new Float64Array(width);
    this.#now = new Float64Array(width);
    this.#count(this.#before);
    this.#begin();
  }

  /** Rows up to the end of a span: no more than these may be encoded at once. */
  get rowsLeft(): number {
    return this.#rowsLeft;
  }

  /** Of spans whose last row has been encoded. */
  get found(): TalliedSpans {
    const spans = this.#spans.slice(0, this.#foundSpans).map(({ span }) => span);
    return { spans, counts: this.#found.subarray(0, spans.length * (1 + this.#before.length)) };
  }

  /** Call after every encoding. @param rows that were encoded, `rowsLeft` at most */
  encoded(rows: number): void {
    this.#rowsLeft -= rows;
    if (this.#rowsLeft > 0) return;
    const [before, now] = [this.#before, this.#now];
    this.#count(now);
    let to = this.#foundSpans * (1 + now.length);
    this.#found[to++] = this.#spans[this.#foundSpans]!.rows;
    for (let at = 0; at < now.length; at++) this.#found[to++] = now[at]! - before[at]!;
    before.set(now);
    this.#foundSpans++;
    this.#begin();
  }

  #count(into: Float64Array): void {
    let to = 0;
    for (const { values, missing, unseen, binCounter } of this.#counts) {
      into[to++] = values;
      into[to++] = missing;
      into[to++] = unseen;
      for (const count of binCounter?.known() ?? []) into[to++] = count;
    }
  }

  #begin(): void {
    this.#rowsLeft = this.#spans[this.#foundSpans]?.rows ?? Number.POSITIVE_INFINITY;
  }
}
