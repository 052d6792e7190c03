import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { memoryFile } from './memoryFile.ts';
import { readPlainRows } from './plainValues.ts';
import { sampleShard, writeShard } from './sampleShards.ts';

/** Deterministic numbers in [0, 1): mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const lists = writeShard(
  [{ name: 'ids', data: Array.from({ length: 60 }, (_, row) => (row % 5 === 0 ? null : [row, row + 1])) }],
  {
    schema: [
      { name: 'root', num_children: 1 },
      { name: 'ids', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
    ],
  },
);

describe('a shard with flipped bytes', () => {
  it.each([
    ['flat columns', sampleShard(60, 30), 20_260_101],
    ['lists', lists, 20_260_102],
  ])('gives values or a Ncs4cvrError, never a hang or another error: %s', async (_name, good, seed) => {
    const random = seededRandom(seed);
    const outcomes = { values: 0, errors: 0 };
    for (let trial = 0; trial < 300; trial += 1) {
      const broken = Uint8Array.from(good);
      const flips = 1 + Math.floor(random() * 4);
      for (let flip = 0; flip < flips; flip += 1) {
        broken[Math.floor(random() * broken.length)]! ^= 1 + Math.floor(random() * 255);
      }
      const started = performance.now();
      try {
        const rows = await readPlainRows(memoryFile(broken));
        expect(rows.length).toBeLessThanOrEqual(60);
        outcomes.values += 1;
      } catch (error) {
        expect(error, `seed ${seed}, trial ${trial}`).toBeInstanceOf(Ncs4cvrError);
        outcomes.errors += 1;
      }
      expect(performance.now() - started, `seed ${seed}, trial ${trial}`).toBeLessThan(5000);
    }
    expect(outcomes.errors).toBeGreaterThan(50);
    expect(await readPlainRows(memoryFile(good))).toHaveLength(60);
  });
});
