import { expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { mergeFingerprints } from '../../lib/keys/mergeFingerprints.ts';

/** As BigInts sort them. */
function sortedRun(random: RandomStream, length: number, highs: number): Uint32Array {
  const values = BigUint64Array.from({ length }, () => {
    return (BigInt(random.nextBelow(highs)) << 32n) | BigInt(random.nextBelow(3) * 0x7fff_ffff);
  });
  return new Uint32Array(values.sort().buffer);
}

test.each([0, 1, 2, 3, 5, 8, 21])('%i runs become one, in the order of 64-bit integers', (count) => {
  const random = new RandomStream(count);
  for (const highs of [2, 40, 2 ** 32 - 1]) {
    const runs = Array.from({ length: count }, () => sortedRun(random, random.nextBelow(30), highs));
    const starts = runs.map((_, index) => runs.slice(0, index).reduce((sum, run) => sum + run.length, 0));
    const words = Uint32Array.from(runs.flatMap((run) => [...run]));
    const given = words.slice();
    const merged = mergeFingerprints(words, starts);
    const expected = new Uint32Array(new BigUint64Array(words.slice().buffer).sort().buffer);
    expect(merged).toEqual(expected);
    expect(words).toEqual(given);
  }
});
