/*
 * Shape legend of this folder:
 *   C  calibration rows
 *   K  inputs of a layer, N its units
 * A float x of an activation becomes the integer q = round(x / step) + zeroPoint, held to [0, 255]; a weight becomes an integer in
 * [-64, 64] times a scale of its unit.
 */

/** The integers that stand for the values of one tensor. */
export interface ActivationGrid {
  /** Greater than 0, exact in float32. */
  readonly step: number;
  /** The integer of 0, in [0, 255]. */
  readonly zeroPoint: number;
}

/** Values of one tensor on the calibration rows. */
export interface Activation {
  readonly columnCount: number;
  /** float32 [C, columnCount], row-major. */
  readonly values: Float32Array;
  /** A value that other rows may have though no calibration row has it: the grid holds it. */
  readonly possible?: number;
}

const LARGEST = 255;
/** Rows that ranges are compared on; more don't change the choice. */
const COMPARED_ROWS = 2048;
/** Shares of the whole range that are tried, from all of it to a tenth. */
const SHARES = Array.from({ length: 20 }, (_, i) => 10 ** (-i / 19));

/**
 * The grid that loses least of the layers' sums. A range that holds every value wastes integers on a few far ones, so narrower
 * ranges are tried as well: the error of a column counts as much as the squares of the weights that it meets.
 * @param importance [columnCount], sum of the squares of a column's weights; columns of 0 count nowhere
 */
export function fitActivationGrid(
  { columnCount, values, possible = 0 }: Activation,
  importance: Float64Array,
): ActivationGrid {
  let low = Math.min(0, possible);
  let high = Math.max(0, possible);
  for (let i = 0; i < values.length; i++) {
    if (importance[i % columnCount] === 0) continue;
    if (values[i]! < low) low = values[i]!;
    else if (values[i]! > high) high = values[i]!;
  }
  if (low === high) return { step: 1, zeroPoint: 0 };
  const rowCount = values.length / columnCount;
  const stride = Math.max(1, Math.floor(rowCount / COMPARED_ROWS));
  const grids = SHARES.map((share) =>
    gridOver(Math.min(low * share, possible), Math.max(high * share, possible)),
  );
  const errors = grids.map((grid) => {
    let error = 0;
    for (let row = 0; row < rowCount; row += stride) {
      for (let column = 0; column < columnCount; column++) {
        const weight = importance[column]!;
        if (weight === 0) continue;
        const x = values[row * columnCount + column]!;
        const lost = x - (toGrid(grid, x) - grid.zeroPoint) * grid.step;
        error += weight * lost * lost;
      }
    }
    return error;
  });
  return grids[errors.indexOf(Math.min(...errors))]!;
}

/** The integer that stands for x, in [0, 255]. */
export function toGrid({ step, zeroPoint }: ActivationGrid, x: number): number {
  return Math.min(LARGEST, Math.max(0, Math.round(x / step) + zeroPoint));
}

/** @param low at most 0 @param high at least 0, and not both 0 */
function gridOver(low: number, high: number): ActivationGrid {
  const step = Math.fround((high - low) / LARGEST);
  return { step, zeroPoint: Math.min(LARGEST, Math.round((0 - low) / step)) };
}
