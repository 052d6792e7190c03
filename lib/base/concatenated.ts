/** One array after the other, copied. @param make an array of so many numbers */
export function concatenated<Numbers extends Uint8Array | Uint32Array | Float32Array>(
  arrays: readonly Numbers[],
  make: (length: number) => Numbers,
): Numbers {
  const whole = make(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}
