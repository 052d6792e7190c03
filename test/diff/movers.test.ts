import { expect, test } from 'vitest';
import { type Mover, Movers } from '../../lib/diff/movers.ts';

const mover = (name: string): Mover => ({
  keys: { name },
  from: { score: 0, place: 1 },
  to: { score: 0, place: 1 },
});

test('the rows that moved most are kept, by places and then by change; of equals the first one stays', () => {
  const movers = new Movers(3);
  const moves: readonly (readonly [string, number, number])[] = [
    ['small', 1, 0.1],
    ['first', 2, 0.5],
    ['equal', 2, 0.5],
    ['changed', 2, 0.6],
    ['equal too', 2, 0.5],
    ['unmoved', 0, 0],
  ];
  for (const [name, places, change] of moves) movers.consider(places, change, () => mover(name));
  expect(movers.all.map(({ keys }) => keys.name)).toEqual(['changed', 'first', 'equal']);
});
