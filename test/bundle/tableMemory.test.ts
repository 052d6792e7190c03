import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { allocateTables, MemoryArea } from '../../lib/bundle/tableMemory.ts';

const memoryOf = (bytes: number) => allocateTables(new Map([['a', bytes]]))!.memory;

describe('memory for tables', () => {
  it('takes the smaller ones where not all fit, and says which', () => {
    const sizes = new Map([
      ['large', 3_000_000],
      ['small', 1000],
      ['medium', 500_000],
    ]);
    expect([...allocateTables(sizes)!.places.keys()].sort()).toEqual(['large', 'medium', 'small']);
    const { places } = allocateTables(sizes, 2_000_000)!;
    expect([...places.keys()].sort()).toEqual(['medium', 'small']);
    expect([...places.values()].map(({ length }) => length).sort()).toEqual([1000, 500_000].sort());
    expect(allocateTables(new Map([['large', 5 * 2 ** 30]]))).toBeUndefined();
  });

  it('has a place of its own for each, from a multiple of 64 on', () => {
    const { places } = allocateTables(new Map([100, 1, 0, 64, 65].map((size, i) => [`${i}`, size])))!;
    const ranges = [...places.values()].map(({ byteOffset, length }) => [byteOffset, byteOffset + length]);
    ranges.sort(([a], [b]) => a! - b!);
    for (const [i, [start]] of ranges.entries()) {
      expect(start! % 64).toBe(0);
      expect(start).toBeGreaterThanOrEqual(i === 0 ? 3072 : ranges[i - 1]![1]! + 16);
    }
  });

  it('is one memory in all threads, tables and areas among them', async () => {
    const { memory, places } = allocateTables(new Map([['a', 8]]))!;
    const worker = new Worker(
      `const { workerData: { memory, place } } = require('node:worker_threads');
       place[3] = 5;
       const page = memory.grow(1);
       new Uint8Array(memory.buffer)[page * 65_536 + 7] = 6;`,
      { eval: true, workerData: { memory, place: places.get('a') } },
    );
    await once(worker, 'exit');
    expect(places.get('a')![3]).toBe(5);
    expect(new Uint8Array(memory.buffer)[65_536 + 7]).toBe(6);
  });
});

describe('an area', () => {
  it('has its arrays beside each other, apart from those of other areas', () => {
    const memory = memoryOf(10);
    const areas = [0, 1].map(() => MemoryArea.take(memory, [3, 100_000])!);
    const arrays = areas.flatMap((area) => [area.int32(3), area.float32(100_000)]);
    for (const [i, array] of arrays.entries()) array.fill(i + 1);
    for (const [i, array] of arrays.entries()) expect(array.every((x) => x === i + 1)).toBe(true);
  });

  it('that was given back is taken again, as zeros, by who needs no more', () => {
    const memory = memoryOf(10);
    const first = MemoryArea.take(memory, [50_000])!;
    const place = first.int32(50_000).fill(7).byteOffset;
    first.giveBack();
    const pages = memory.buffer.byteLength;
    const larger = MemoryArea.take(memory, [500_000])!;
    expect(larger.int32(500_000).byteOffset).toBe(pages);
    const again = MemoryArea.take(memory, [40_000])!.float32(40_000);
    expect(again.byteOffset).toBe(place);
    expect(again.every((x) => x === 0)).toBe(true);
    expect(MemoryArea.take(memory, [40_000])!.int32(1).byteOffset).toBeGreaterThan(pages);
  });

  it('that was given back twice is taken once', () => {
    const memory = memoryOf(10);
    const first = MemoryArea.take(memory, [10])!;
    first.giveBack();
    first.giveBack();
    const [a, b] = [0, 1].map(() => MemoryArea.take(memory, [10])!.int32(10).fill(5));
    expect(a!.byteOffset).not.toBe(b!.byteOffset);
  });

  it("doesn't make the memory larger when one is taken and given back again and again", () => {
    const memory = memoryOf(10);
    for (let i = 0; i < 1000; i++) MemoryArea.take(memory, [20_000])!.giveBack();
    expect(memory.buffer.byteLength).toBe(3 * 65_536);
  });

  it('is none when the memory is full', () => {
    expect(MemoryArea.take(memoryOf(10), [2 ** 30])).toBeUndefined();
  });
});
