import { type Activation, type ActivationGrid, toGrid } from './activationGrid.ts';
import type { GraphLayer } from './denseLayers.ts';

/**
 * Largest magnitude of an integer weight. Processors with AVX2 but without VNNI add two products of an unsigned and a signed byte
 * in 16 bits, which hold at most 32,767: 2 x 255 x 64 = 32,640 fits, 2 x 255 x 65 doesn't and would be cut off without a word.
 */
const LARGEST_WEIGHT = 64;
/** So that a bias, which is added in 32 bits, leaves as much room to the sum. */
const LARGEST_BIAS = 2 ** 30;

/** A layer in integers: ReLU(scales * (q W + bias)), q [B, K] as its inputs' grids give it. */
export interface IntegerLayer {
  /** int8 [K, N], row-major, in [-64, 64]. */
  readonly weight: Int8Array;
  /** float32 [N], greater than 0. */
  readonly scales: Float32Array;
  /** int32 [N]; the zero points of the inputs are in it. */
  readonly bias: Int32Array;
}

/** A part of a layer's inputs, in the order of their columns. */
export interface LayerInput {
  readonly activation: Activation;
  readonly grid: ActivationGrid;
}

/**
 * Rounds a layer's weights, each unit on a scale of its own. The steps of the inputs are multiplied into the weights first, so that
 * every input may have its own. What rounding adds to a unit's sum on average over the calibration rows is taken off its bias.
 */
export function integerWeights(
  { inputCount, unitCount, weight, bias }: GraphLayer,
  inputs: readonly LayerInput[],
): IntegerLayer {
  const { steps, zeroPoints, means, gridMeans } = describeInputs(inputs);
  const scales = new Float32Array(unitCount);
  const integers = new Int8Array(inputCount * unitCount);
  const integerBias = new Int32Array(unitCount);
  for (let unit = 0; unit < unitCount; unit++) {
    let largest = 0;
    for (let input = 0; input < inputCount; input++) {
      largest = Math.max(largest, Math.abs(weight[input * unitCount + unit]! * steps[input]!));
    }
    const scale = scaleOf(largest, bias[unit]!);
    scales[unit] = scale;
    let shift = 0;
    let meanError = 0;
    for (let input = 0; input < inputCount; input++) {
      const at = input * unitCount + unit;
      const rounded = Math.round((weight[at]! * steps[input]!) / scale);
      const integer = Math.min(LARGEST_WEIGHT, Math.max(-LARGEST_WEIGHT, rounded));
      integers[at] = integer;
      shift += integer * zeroPoints[input]!;
      meanError += scale * integer * gridMeans[input]! - weight[at]! * means[input]!;
    }
    integerBias[unit] = Math.round((bias[unit]! - meanError) / scale) - shift;
  }
  return { weight: integers, scales, bias: integerBias };
}

/** A unit without weights, or with a bias that dwarfs them, takes its scale from the bias. */
function scaleOf(largest: number, bias: number): number {
  const scale = Math.fround(Math.max(largest / LARGEST_WEIGHT, Math.abs(bias) / LARGEST_BIAS));
  return scale > 0 ? scale : 1;
}

/** For each of the K inputs: its grid, its mean, and the mean of what the grid makes of it, in steps above the zero point. */
function describeInputs(inputs: readonly LayerInput[]) {
  const steps: number[] = [];
  const zeroPoints: number[] = [];
  const means: number[] = [];
  const gridMeans: number[] = [];
  for (const { activation, grid } of inputs) {
    const { columnCount, values } = activation;
    const rowCount = values.length / columnCount;
    const sums = new Float64Array(columnCount);
    const gridSums = new Float64Array(columnCount);
    for (let i = 0; i < values.length; i++) {
      const column = i % columnCount;
      sums[column] = sums[column]! + values[i]!;
      gridSums[column] = gridSums[column]! + toGrid(grid, values[i]!) - grid.zeroPoint;
    }
    for (let column = 0; column < columnCount; column++) {
      steps.push(grid.step);
      zeroPoints.push(grid.zeroPoint);
      means.push(sums[column]! / rowCount);
      gridMeans.push(gridSums[column]! / rowCount);
    }
  }
  return { steps, zeroPoints, means, gridMeans };
}
