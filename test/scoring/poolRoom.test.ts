import { expect, test } from 'vitest';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';

test('a turn is free while those taken have two requests left for each thread, and besides a single one only if they are small', () => {
  const room = new PoolRoom(2);
  const large = room.takeTurn(16);
  for (let left = 16; left > 5; left--) large.sent();
  expect(room.isTurnFree).toBe(false);
  large.sent();
  const small = room.takeTurn(3);
  expect([room.turns, room.isTurnFree]).toEqual([2, false]);
  large.end();
  large.end();
  expect([room.turns, room.isTurnFree]).toEqual([1, true]);
  room.takeTurn(1).sent();
  expect(room.turns).toBe(1);
  room.takeTurn(1);
  expect(room.isTurnFree).toBe(true);
  room.takeTurn(1);
  expect(room.isTurnFree).toBe(false);
  small.end();
  expect([room.turns, room.isTurnFree]).toEqual([2, true]);
});

test('those that wait are woken by every request that ends or is sent, and by every turn that ends', async () => {
  const room = new PoolRoom(1);
  const turn = room.takeTurn(2);
  room.hold();
  for (const change of [() => room.release(), turn.sent, turn.sent]) {
    const changed = room.changed();
    change();
    await changed;
  }
});
