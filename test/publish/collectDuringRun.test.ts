import { AsyncLocalStorage } from 'node:async_hooks';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../lib/base/retry.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { collect, pointerFile, unreached } from './garbageUnderTest.ts';
import { expectRows, PARTITION, type Place, run, second } from './partitionUnderTest.ts';

const folder = temporaryFolder();

let bundle: ModelBundle;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);
afterEach(() => {
  vi.restoreAllMocks();
});

/** The operations of storage that a collector and a run meet in. */
const OPERATIONS = ['list', 'stat', 'readVersioned', 'createIfAbsent', 'replaceIfVersion', 'remove'] as const;

/**
 * Lets `work` run, and `other` as a whole before its storage call number `at`.
 * @returns whether there was such a call
 */
async function interrupted(at: number, work: () => Promise<unknown>, other: () => Promise<unknown>) {
  const inside = new AsyncLocalStorage<true>();
  let calls = 0;
  let wasReached = false;
  // Calls of the work that are under way wait, too: with a clock that is days ahead, it would take the other's files for old ones.
  let meeting: Promise<unknown> = Promise.resolve();
  vi.spyOn(systemClock, 'sleep').mockResolvedValue();
  for (const name of OPERATIONS) {
    const real = localDisk[name] as (...args: unknown[]) => Promise<unknown>;
    vi.spyOn(localDisk, name).mockImplementation((async (...args: unknown[]) => {
      if (inside.getStore() === undefined) {
        if (calls++ === at) {
          wasReached = true;
          meeting = inside.run(true, other);
        }
        await meeting;
      }
      return real(...args);
    }) as never);
  }
  try {
    await work();
  } finally {
    vi.restoreAllMocks();
  }
  return wasReached;
}

describe('a collector that meets a run of the same model', () => {
  /** Condemned parts of an input that all cases share. */
  let template: Place;
  let cases = 0;
  beforeAll(async () => {
    template = await unreached(join(folder, 'races'), bundle);
    await collect(template.root, 4);
  });
  const copy = (): Place => {
    const root = join(folder, 'races', `copy-${cases++}`);
    cpSync(template.root, root, { recursive: true });
    return { inputUri: template.inputUri, root };
  };
  const onlyCollected = (error: unknown) => expect(error).toMatchObject({ code: 'PUBLISH_PART_COLLECTED' });
  /** What is published is whole, and stays so whatever is collected later; a run that was left incomplete ends when repeated. */
  async function expectWhole(place: Place) {
    if ((await readPointer(place.root, PARTITION)).pointer === undefined) {
      expect(await run(place, bundle)).toMatchObject({ outcome: { kind: 'published' } });
    }
    await expectRows(place, bundle, second);
    await collect(place.root, 4);
    await collect(place.root, 4);
    await expectRows(place, bundle, second);
    expect(filesBelow(join(place.root, 'keys'))).toHaveLength(2);
  }

  it('deletes nothing that is published, at whatever call of the collector the run comes', async () => {
    let deletions = 0;
    for (let at = 0; ; at++) {
      const place = copy();
      let deleted = 0;
      const isReached = await interrupted(
        at,
        async () => {
          deleted = (await collect(place.root, 4)).files.length;
        },
        // Between claim and deletion the run can only wait.
        () => run(place, bundle, { workers: 1 }).catch(onlyCollected),
      );
      if (!isReached) break;
      deletions += deleted;
      await expectWhole(place);
      rmSync(place.root, { recursive: true });
    }
    // Some runs came too late to keep the parts, or this would prove nothing.
    expect(deletions).toBeGreaterThan(0);
  }, 300_000);

  it('deletes nothing that is published, at whatever call of the run the collector comes', async () => {
    let deletions = 0;
    for (let at = 0; ; at++) {
      const place = copy();
      const isReached = await interrupted(
        at,
        () => run(place, bundle, { workers: 1 }),
        async () => {
          deletions += (await collect(place.root, 4)).files.length;
        },
      );
      if (!isReached) break;
      await expectWhole(place);
      rmSync(place.root, { recursive: true });
    }
    expect(deletions).toBeGreaterThan(0);
  }, 300_000);

  it('keeps what a publisher that had read the receipts before has flipped to since', async () => {
    const place = await unreached(join(folder, 'races'), bundle);
    const pointerBefore = async () => {
      await run(place, bundle);
      const bytes = readFileSync(pointerFile(place));
      rmSync(pointerFile(place));
      return bytes;
    };
    const pointer = await pointerBefore();
    await collect(place.root, 4);
    writeFileSync(pointerFile(place), pointer);
    expect(await collect(place.root, 4)).toMatchObject({ files: [] });
    await expectRows(place, bundle, second);
  });

  it('that was killed after its claim blocks nobody for long, and the next one finishes its work', async () => {
    const killed = async () => {
      const place = copy();
      const remove = vi.spyOn(localDisk, 'remove').mockRejectedValue(new Error('killed'));
      await expect(collect(place.root, 4)).rejects.toThrow('killed');
      // All of them: one that comes to its removal later would really remove.
      await vi.waitFor(async () => {
        const receipts = await localDisk.list(join(place.root, 'receipts'));
        for (const { uri } of receipts) expect(readFileSync(uri, 'utf8')).toContain('claimed');
        expect(remove).toHaveBeenCalledTimes(receipts.length);
      });
      vi.restoreAllMocks();
      return place;
    };
    const finished = await killed();
    expect((await collect(finished.root, 4)).files.length).toBe(6);
    const place = await killed();
    // An hour later the claim is nobody's any more.
    const later = Date.now() + 3_700_000;
    vi.spyOn(Date, 'now').mockReturnValue(later);
    await run(place, bundle);
    await expectRows(place, bundle, second);
  }, 30_000);
});
