import { describe, expect, test, vi } from 'vitest';
import { ReadAhead } from '../../lib/scoring/readAhead.ts';
import type { RequestedRowGroup } from '../../lib/scoring/requestedRowGroup.ts';

/** Reads that were begun, by name, to be ended one by one. */
const begun = vi.hoisted(() => new Map<string, { end: () => void; fail: () => void }>());
vi.mock('../../lib/scoring/readRowGroups.ts', () => ({
  readRowGroups: (rowGroups: readonly RequestedRowGroup[]) =>
    new Promise((resolve, reject) => {
      const end = () => resolve(rowGroups.map((each) => ({ ...each, buffer: new Uint8Array(1) })));
      begun.set(rowGroups[0]!.uri, { end, fail: () => reject(new Error('broken')) });
    }),
}));

function rowGroup(uri: string, bufferBytes: number): RequestedRowGroup {
  return { uri, reads: { bufferBytes } } as unknown as RequestedRowGroup;
}

/** Those that are begun, once all that can be begun is. */
async function begunReads(): Promise<string[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return [...begun.keys()];
}

describe('ReadAhead', () => {
  test('begins as many reads as there is room for, in the order of the calls, and the next ones once bytes are handed on', async () => {
    begun.clear();
    const ahead = new ReadAhead(100);
    const reads = ['a', 'b', 'c', 'd'].map((name, index) =>
      ahead.read([rowGroup(name, [60, 40, 50, 10][index]!)]),
    );
    // There would be no room for c, and d waits for its turn.
    expect(await begunReads()).toEqual(['a', 'b']);
    begun.get('b')!.end();
    const second = await reads[1]!;
    expect(second.rowGroups[0]!.buffer).toHaveLength(1);
    expect(await begunReads()).toEqual(['a', 'b']);
    second.release();
    expect(await begunReads()).toEqual(['a', 'b']);
    begun.get('a')!.end();
    (await reads[0]!).release();
    expect(await begunReads()).toEqual(['a', 'b', 'c', 'd']);
    // Twice is once: otherwise there would be room for a hundred bytes beside c and d.
    second.release();
    const more = ahead.read([rowGroup('e', 41)]);
    expect(await begunReads()).toEqual(['a', 'b', 'c', 'd']);
    begun.get('d')!.end();
    (await reads[3]!).release();
    expect(await begunReads()).toEqual(['a', 'b', 'c', 'd', 'e']);
    begun.get('e')!.end();
    await more;
  });

  test('a request that is larger than all room is read once nothing else is held, and holds up the others', async () => {
    begun.clear();
    const ahead = new ReadAhead(100);
    const [small, large, next] = [10, 500, 1].map((bytes) => ahead.read([rowGroup(`${bytes}`, bytes)]));
    expect(await begunReads()).toEqual(['10']);
    begun.get('10')!.end();
    (await small!).release();
    expect(await begunReads()).toEqual(['10', '500']);
    begun.get('500')!.end();
    (await large!).release();
    expect(await begunReads()).toEqual(['10', '500', '1']);
    begun.get('1')!.end();
    await next;
  });

  test('a read that fails makes room for the next one', async () => {
    begun.clear();
    const ahead = new ReadAhead(100);
    const failing = ahead.read([rowGroup('failing', 100)]);
    const next = ahead.read([rowGroup('next', 100)]);
    expect(await begunReads()).toEqual(['failing']);
    begun.get('failing')!.fail();
    await expect(failing).rejects.toThrow('broken');
    expect(await begunReads()).toEqual(['failing', 'next']);
    begun.get('next')!.end();
    await next;
  });

  test('bytes that are there already take no room', async () => {
    begun.clear();
    const ahead = new ReadAhead(100);
    void ahead.read([rowGroup('full', 100)]);
    const there = { ...rowGroup('there', 1000), buffer: new Uint8Array(1) };
    void ahead.read([there]);
    expect(await begunReads()).toEqual(['full', 'there']);
  });
});
