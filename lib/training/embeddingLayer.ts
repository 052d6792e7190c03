import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ColumnRange } from '../network/networkShape.ts';

/**
 * Looks up field embeddings outside the ONNX graph and collects their gradients, so that a step costs time for
 * the rows it touches and not for the whole table (legend in featureLayout.ts; B rows in the batch, F = C + M fields,
 * E embedding width).
 */
export class EmbeddingLayer {
  readonly layout: FeatureLayout;
  /** E */
  readonly width: number;
  /** F */
  readonly fieldCount: number;

  constructor(layout: FeatureLayout, embeddingWidth: number) {
    this.layout = layout;
    this.width = embeddingWidth;
    this.fieldCount = layout.singles.length + layout.lists.length;
  }

  /**
   * Writes fields [B, F, E] of the chosen rows: embeddings of single values, then weighted sums of lists.
   * @param indices rows of `rows`, in the order of the batch
   */
  gather(embeddings: Float32Array, rows: EncodedRows, indices: Int32Array, into: Float32Array): void {
    const width = this.width;
    const { singles, lists, listWidth } = this.layout;
    const singleCount = singles.length;
    let to = 0;
    for (let i = 0; i < indices.length; i++) {
      const row = indices[i]!;
      for (let at = row * singleCount, end = at + singleCount; at < end; at++) {
        let from = rows.singleRows[at]! * width;
        for (const until = from + width; from < until; from++) into[to++] = embeddings[from]!;
      }
      for (const list of lists) {
        into.fill(0, to, to + width);
        const start = row * listWidth + list.position;
        for (let at = start, end = start + list.feature.maxLength; at < end; at++) {
          const weight = rows.listWeights[at]!;
          // Values fill a list from its front: the first free position ends it.
          if (weight === 0) break;
          const from = rows.listRows[at]! * width;
          for (let k = 0; k < width; k++) into[to + k]! += weight * embeddings[from + k]!;
        }
        to += width;
      }
    }
  }

  /** Adds dLoss/dFields [B, F, E] to the gradient of every embedding row the batch used. */
  scatter(fieldGradients: Float32Array, rows: EncodedRows, indices: Int32Array, into: SparseGradient): void {
    const width = this.width;
    const { singles, lists, listWidth } = this.layout;
    const singleCount = singles.length;
    for (let i = 0; i < indices.length; i++) {
      const row = indices[i]!;
      let from = i * this.fieldCount * width;
      for (let at = row * singleCount, end = at + singleCount; at < end; at++) {
        into.add(rows.singleRows[at]!, fieldGradients, from, 1);
        from += width;
      }
      for (const list of lists) {
        const start = row * listWidth + list.position;
        for (let at = start, end = start + list.feature.maxLength; at < end; at++) {
          const weight = rows.listWeights[at]!;
          if (weight === 0) break;
          into.add(rows.listRows[at]!, fieldGradients, from, weight);
        }
        from += width;
      }
    }
  }
}

/** Gradient of a [R, E] matrix of which a step touches few rows. */
export class SparseGradient {
  readonly width: number;
  readonly values: Float32Array;
  readonly #isTouched: Uint8Array;
  readonly #touched: Int32Array;
  #touchedCount = 0;

  constructor(rowCount: number, width: number) {
    this.width = width;
    this.values = new Float32Array(rowCount * width);
    this.#isTouched = new Uint8Array(rowCount);
    this.#touched = new Int32Array(rowCount);
  }

  /** values[row] += scale * source[from .. from + width) */
  add(row: number, source: Float32Array, from: number, scale: number): void {
    if (this.#isTouched[row] === 0) {
      this.#isTouched[row] = 1;
      this.#touched[this.#touchedCount++] = row;
    }
    const { values, width } = this;
    const to = row * width;
    for (let k = 0; k < width; k++) values[to + k]! += scale * source[from + k]!;
  }

  /**
   * Calls back with the range [start, end) in `values` of every touched row, then clears the gradient.
   * @param columns of the row that the range covers; all by default
   */
  consume(
    update: (start: number, end: number) => void,
    { from, to }: ColumnRange = { from: 0, to: this.width },
  ): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const row = this.#touched[i]!;
      const offset = row * this.width;
      update(offset + from, offset + to);
      this.#isTouched[row] = 0;
      this.values.fill(0, offset, offset + this.width);
    }
    this.#touchedCount = 0;
  }
}
