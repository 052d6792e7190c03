import type { TaskMasks } from '../model/taskMasks.ts';
import { perTask } from '../model/tasks.ts';
import { RandomStream } from '../randomStream.ts';

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
