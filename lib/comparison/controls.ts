import { RandomStream } from '../base/randomStream.ts';
import { perTask } from '../base/tasks.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { TrainingSet } from '../training/trainingSet.ts';

/** Masks with exactly as many connections in every layer as the given ones, uniformly chosen, tasks independently. */
export function randomMasks(like: TaskMasks, seed: number): TaskMasks {
  const random = new RandomStream(seed);
  return perTask((task) => like[task].map((layer) => shuffledBits(layer, random)));
}

function shuffledBits(layer: Uint8Array, random: RandomStream): Uint8Array {
  const order = Int32Array.from(layer.keys());
  random.shuffle(order);
  return Uint8Array.from(order, (position) => layer[position]!);
}

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
