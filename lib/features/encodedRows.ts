import type { FeatureLayout } from './featureLayout.ts';

/**
 * Rows ready for the network, row-major (legend in featureLayout.ts). Row ids point into the joint embedding
 * matrix. An unused list position has row 0 and weight 0, so whatever stands there can't change a score.
 */
export interface EncodedRows {
  readonly rowCapacity: number;
  /** int32 [rowCapacity, C] */
  readonly singleRows: Int32Array;
  /** int32 [rowCapacity, L] */
  readonly listRows: Int32Array;
  /** float32 [rowCapacity, L]: 1 / (values in use) at a value, 0 elsewhere. */
  readonly listWeights: Float32Array;
  /** float32 [rowCapacity, 2N] */
  readonly dense: Float32Array;
}

export function allocateEncodedRows(layout: FeatureLayout, rowCapacity: number): EncodedRows {
  return {
    rowCapacity,
    singleRows: new Int32Array(rowCapacity * layout.singles.length),
    listRows: new Int32Array(rowCapacity * layout.listWidth),
    listWeights: new Float32Array(rowCapacity * layout.listWidth),
    dense: new Float32Array(rowCapacity * layout.denseWidth),
  };
}

/** Rows [start, end) as views on the same memory. */
export function sliceEncodedRows(
  layout: FeatureLayout,
  rows: EncodedRows,
  start: number,
  end: number,
): EncodedRows {
  const slice = <T extends Int32Array | Float32Array>(array: T, width: number): T =>
    array.subarray(start * width, end * width) as T;
  return {
    rowCapacity: end - start,
    singleRows: slice(rows.singleRows, layout.singles.length),
    listRows: slice(rows.listRows, layout.listWidth),
    listWeights: slice(rows.listWeights, layout.listWidth),
    dense: slice(rows.dense, layout.denseWidth),
  };
}

/** Copies rows [start, end) to the beginning of a batch. */
export function copyEncodedRows(
  layout: FeatureLayout,
  from: EncodedRows,
  start: number,
  end: number,
  to: EncodedRows,
): void {
  const some = sliceEncodedRows(layout, from, start, end);
  to.singleRows.set(some.singleRows);
  to.listRows.set(some.listRows);
  to.listWeights.set(some.listWeights);
  to.dense.set(some.dense);
}
