import { RandomStream } from '../randomStream.ts';
import type { TrainingSet } from '../training/trainingSet.ts';

/** The same rows with the conversions of the clicked ones dealt out anew: same rates, nothing to learn from features. */
export function permuteConversions(set: TrainingSet, seed: number): TrainingSet {
  const clicked = Int32Array.from(set.click.keys()).filter((row) => set.click[row] === 1);
  const dealt = clicked.slice();
  new RandomStream(seed).shuffle(dealt);
  const conversion = set.conversion.slice();
  clicked.forEach((row, i) => {
    conversion[row] = set.conversion[dealt[i]!]!;
  });
  return { ...set, conversion };
}
