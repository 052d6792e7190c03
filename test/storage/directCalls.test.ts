import { beforeEach, describe, expect, test, vi } from 'vitest';

/** Of a thread that has called nothing yet. */
let calls: typeof import('../../lib/storage/directCalls.ts');
beforeEach(async () => {
  vi.resetModules();
  calls = await import('../../lib/storage/directCalls.ts');
});

function waitMillis(millis: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis);
}

/** Which way so many calls took, of a file system that answers after so long. */
async function ways(count: number, millis: number): Promise<string[]> {
  const found: string[] = [];
  for (let call = 0; call < count; call++) {
    const direct = () => {
      if (millis > 0) waitMillis(millis);
      return 'direct';
    };
    found.push(await calls.callDirectly(direct, async () => 'detour'));
  }
  return found;
}

describe('callDirectly', () => {
  test('calls directly what answers at once, and gives what it gives or throws', async () => {
    expect(new Set(await ways(200, 0))).toEqual(new Set(['direct']));
    const failing = calls.callDirectly(
      () => {
        throw new Error('no such file');
      },
      async () => 'detour',
    );
    await expect(failing).rejects.toThrow('no such file');
  });

  test('takes the detour once several calls were slow, and tries again after some hundred of them', async () => {
    expect(await ways(6, 5)).toEqual(['direct', 'direct', 'direct', 'direct', 'detour', 'detour']);
    expect(new Set(await ways(254, 0))).toEqual(new Set(['detour']));
    expect(await ways(1, 0)).toEqual(['direct']);
  });

  test('a slow call among quick ones is forgotten', async () => {
    for (let turn = 0; turn < 8; turn++) {
      expect(await ways(1, 5)).toEqual(['direct']);
      expect(new Set(await ways(64, 0))).toEqual(new Set(['direct']));
    }
  });

  test('a slow call that has no detour counts too', async () => {
    for (let call = 0; call < 4; call++) calls.timed(() => waitMillis(5));
    expect(await ways(1, 0)).toEqual(['detour']);
  });
});
