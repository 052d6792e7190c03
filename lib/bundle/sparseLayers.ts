import { z } from 'zod';

/*
 * Layers of few weights, computed where rows are gathered: ONNX Runtime multiplies by every zero of a matrix, and has no operator
 * of the standard that doesn't.
 */

/** Arrays of little-endian numbers of 4 bytes, in base64: a list of numbers in JSON would be five times as long. */
const sparseLayerSchema = z.strictObject({
  /** float32 [units] */
  biases: z.base64(),
  /** Weights of each unit, uint32 [units]. */
  counts: z.base64(),
  /** The input of each weight, uint32 [weights]: those of a unit behind each other and in ascending order. */
  inputs: z.base64(),
  /** float32 [weights] */
  weights: z.base64(),
});

/** Layers behind each other; the first one reads what is gathered. */
export const sparseLayersSchema = z.array(sparseLayerSchema).min(1).readonly();

export type StoredLayer = Readonly<z.infer<typeof sparseLayerSchema>>;

/** y = ReLU(x W + b), by the weights that aren't 0. */
export interface SparseLayer {
  readonly biases: Float32Array;
  readonly counts: Uint32Array;
  readonly inputs: Uint32Array;
  readonly weights: Float32Array;
}

/** @param weight [inputs, units], row-major */
export function storeLayer(weight: Float32Array, bias: Float32Array): StoredLayer {
  const units = bias.length;
  const counts = new Uint32Array(units);
  const inputs: number[] = [];
  const weights: number[] = [];
  for (let unit = 0; unit < units; unit++) {
    for (let at = unit; at < weight.length; at += units) {
      if (weight[at] === 0) continue;
      inputs.push((at - unit) / units);
      weights.push(weight[at]!);
      counts[unit] = counts[unit]! + 1;
    }
  }
  return {
    biases: toBase64(bias),
    counts: toBase64(counts),
    inputs: toBase64(Uint32Array.from(inputs)),
    weights: toBase64(Float32Array.from(weights)),
  };
}

export function readLayer({ biases, counts, inputs, weights }: StoredLayer): SparseLayer {
  return {
    biases: new Float32Array(fromBase64(biases)),
    counts: new Uint32Array(fromBase64(counts)),
    inputs: new Uint32Array(fromBase64(inputs)),
    weights: new Float32Array(fromBase64(weights)),
  };
}

export function unitCount({ biases }: StoredLayer): number {
  return fromBase64(biases).byteLength / 4;
}

/** The matrix W, [inputs, units]. */
export function denseWeight({ counts, inputs, weights }: SparseLayer, inputCount: number): Float32Array {
  const dense = new Float32Array(inputCount * counts.length);
  let at = 0;
  for (const [unit, count] of counts.entries()) {
    for (const end = at + count; at < end; at++) dense[inputs[at]! * counts.length + unit] = weights[at]!;
  }
  return dense;
}

/**
 * Does a layer hold together, and read nothing beyond its inputs?
 * @param inputCount columns that are gathered, or units of the layer in front
 */
export function isSoundLayer(stored: StoredLayer, inputCount: number): boolean {
  if (Object.values(stored).some((text) => Buffer.from(text, 'base64').length % 4 !== 0)) return false;
  const { biases, counts, inputs, weights } = readLayer(stored);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return (
    biases.length > 0 &&
    counts.length === biases.length &&
    inputs.length === total &&
    weights.length === total &&
    inputs.every((input) => input < inputCount)
  );
}

/** A row's numbers, and where the units of its last layer go. */
export interface LayerRows {
  readonly data: Float32Array;
  readonly width: number;
}

/**
 * The last layer's units of the first `rowCount` rows. Sums begin with the bias and go on in the order of the inputs, in float32, as
 * the kernels compute them.
 */
export function applyLayers(
  layers: readonly SparseLayer[],
  source: LayerRows,
  target: LayerRows,
  rowCount: number,
): void {
  const { fround } = Math;
  for (let row = 0; row < rowCount; row++) {
    let x = source.data.subarray(row * source.width, (row + 1) * source.width);
    for (const { biases, counts, inputs, weights } of layers) {
      const y = new Float32Array(biases.length);
      let at = 0;
      for (let unit = 0; unit < biases.length; unit++) {
        let sum = biases[unit]!;
        for (const end = at + counts[unit]!; at < end; at++) {
          sum = fround(sum + fround(weights[at]! * x[inputs[at]!]!));
        }
        y[unit] = sum < 0 ? 0 : sum;
      }
      x = y;
    }
    target.data.set(x, row * target.width);
  }
}

function toBase64({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** Its own memory, from a place that numbers may begin at. */
function fromBase64(text: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(text, 'base64')).buffer;
}
