import { roundHalfEven } from '../base/roundHalfEven.ts';

/** IEEE 754 half precision: 1 sign bit, 5 bits of exponent, 10 of fraction. Node has no Float16Array before 24. */
const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The largest magnitude that a half holds. @internal exported for tests */
export const LARGEST_HALF = 65_504;

/** Bits of the half next to a number, of two the even one; a magnitude above LARGEST_HALF becomes LARGEST_HALF. */
export function toHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (magnitude >= LARGEST_HALF) return sign | 0x7bff;
  // A step is 2^-24 below the smallest normal half, 2^-14, and 2^-10 of the power of two at or below the number above it.
  const exponent = Math.max(-14, ((bits >>> 23) & 0xff) - 127);
  const steps = roundHalfEven(magnitude * 2 ** (10 - exponent));
  // Steps of a normal number include the leading 1, which carries into the exponent by itself.
  return sign | (steps + (exponent + 14) * 1024);
}

/** All 65,536 halves as float32, by their bits: 256 KB, one per thread. */
export function halfValues(): Float32Array {
  known ??= Float32Array.from({ length: 65_536 }, (_, bits) => {
    const exponent = (bits >>> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    const sign = bits & 0x8000 ? -1 : 1;
    if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
  return known;
}
let known: Float32Array | undefined;
