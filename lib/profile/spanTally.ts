import type { FeatureCounts } from '../features/featureEncoder.ts';
import type { SpanCounts } from './worstSpans.ts';

/** Rows of a span that are encoded one after the other. */
interface SpanRows {
  readonly span: number;
  readonly rows: number;
}

/** Tells the counts of an encoder by span: what it has counted when a span's last row is encoded, less what it had before. */
export class SpanTally {
  readonly #counts: readonly FeatureCounts[];
  readonly #spans: readonly SpanRows[];
  readonly #found: SpanCounts[] = [];
  #before: number[];
  /** Of more rows than were told nobody knows the span; whoever compares row counts refuses them. */
  #rowsLeft = Number.POSITIVE_INFINITY;

  /**
   * @param counts an encoder's, which nobody sets back meanwhile
   * @param spans of the rows that it is going to encode, in order
   */
  constructor(counts: readonly FeatureCounts[], spans: readonly SpanRows[]) {
    this.#counts = counts;
    this.#spans = spans.filter(({ rows }) => rows > 0);
    this.#before = this.#counted();
    this.#begin();
  }

  /** Rows up to the end of a span: no more than these may be encoded at once. */
  get rowsLeft(): number {
    return this.#rowsLeft;
  }

  get found(): readonly SpanCounts[] {
    return this.#found;
  }

  /** Call after every encoding. @param rows that were encoded, `rowsLeft` at most */
  encoded(rows: number): void {
    this.#rowsLeft -= rows;
    if (this.#rowsLeft > 0) return;
    const { span, rows: spanRows } = this.#spans[this.#found.length]!;
    const now = this.#counted();
    this.#found.push({ span, counts: [spanRows, ...now.map((count, at) => count - this.#before[at]!)] });
    this.#before = now;
    this.#begin();
  }

  #begin(): void {
    this.#rowsLeft = this.#spans[this.#found.length]?.rows ?? Number.POSITIVE_INFINITY;
  }

  #counted(): number[] {
    return this.#counts.flatMap(({ values, missing, unseen }) => [values, missing, unseen]);
  }
}
