import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { readManifest } from '../../lib/publish/manifest.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import {
  expectRows,
  first,
  freshPlace,
  PARTITION,
  put,
  replacing,
  run,
  second,
} from './partitionUnderTest.ts';

const folder = temporaryFolder();

let bundle: ModelBundle;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);

/** Published three times: the last state is the wrong one. */
async function threeStates() {
  const place = freshPlace(folder);
  for (const rows of [first, second, replacing]) {
    await put(place, 'a.parquet', rows);
    await run(place, bundle);
  }
  const pointerNow = async () => (await readPointer(place.root, PARTITION)).pointer!;
  const { current, history } = await pointerNow();
  const back = (reason: string, to?: string) => rollBack(place.root, PARTITION, reason, to);
  return { place, back, pointerNow, names: [current, ...history].map(({ sha256 }) => sha256) };
}

describe('a roll-back that is repeated', () => {
  it('stays at the state before the wrong one, and does not bring that back', async () => {
    const { place, back, pointerNow } = await threeStates();
    const { pointer, hasFlipped } = await back('wrong ids');
    expect(hasFlipped).toBe(true);
    expect(await back('wrong ids')).toEqual({ pointer, hasFlipped: false });
    expect(await pointerNow()).toMatchObject({ generation: 4, hold: 'wrong ids' });
    await expectRows(place, bundle, second);
  });

  it('by another operator, for another reason, is refused and changes nothing', async () => {
    const { place, back, pointerNow, names } = await threeStates();
    await back('wrong ids');
    await expect(back('looks odd')).rejects.toMatchObject({
      code: 'PUBLISH_HELD',
      expected: expect.stringContaining(names[2]!.slice(0, 12)),
      found: expect.stringMatching(/held: wrong ids$/),
    });
    expect(await pointerNow()).toMatchObject({ generation: 4, hold: 'wrong ids' });
    await expectRows(place, bundle, second);
  });

  it('to a named state is a no-op once that is current and held, whatever the reason', async () => {
    const { place, back, pointerNow, names } = await threeStates();
    const [, , oldest] = names;
    expect(await back('wrong ids', oldest!.slice(0, 10))).toMatchObject({ hasFlipped: true });
    expect(await back('wrong ids', oldest!.slice(0, 10))).toMatchObject({ hasFlipped: false });
    expect(await back('again', oldest)).toMatchObject({ hasFlipped: false, pointer: { hold: 'wrong ids' } });
    expect(await pointerNow()).toMatchObject({ generation: 4 });
    await expectRows(place, bundle, first);
  });

  it('goes a further step with a name', async () => {
    const { place, back, names } = await threeStates();
    await back('wrong ids');
    expect(await back('wrong ids', names[2])).toMatchObject({ hasFlipped: true, pointer: { generation: 5 } });
    await expectRows(place, bundle, first);
  });

  it('goes back anew from what was published since', async () => {
    const { place, back } = await threeStates();
    await back('wrong ids');
    await run(place, bundle, { liftHold: true });
    await expectRows(place, bundle, replacing);
    expect(await back('wrong ids')).toMatchObject({ hasFlipped: true });
    await expectRows(place, bundle, second);
  });

  it('by six at a time is one flip, and all of them end well', async () => {
    const { place, back, pointerNow } = await threeStates();
    const ended = await Promise.all(Array.from({ length: 6 }, () => back('wrong ids')));
    expect(ended.filter(({ hasFlipped }) => hasFlipped)).toHaveLength(1);
    expect(await pointerNow()).toMatchObject({ generation: 4 });
    await expectRows(place, bundle, second);
  });
});

describe('a state whose parts somebody has deleted', () => {
  it('is refused with their names, and what readers see stays', async () => {
    const { place, back, pointerNow, names } = await threeStates();
    const before = await pointerNow();
    const { parts } = await readManifest(place.root, before.history[0]!);
    const path = parts[0]!.path;
    rmSync(join(place.root, path));
    for (const to of [undefined, names[1]]) {
      await expect(back('wrong ids', to)).rejects.toMatchObject({
        code: 'PUBLISH_PART_DAMAGED',
        problems: [`${path}: it is gone`],
      });
    }
    expect(await pointerNow()).toEqual(before);
    await expectRows(place, bundle, replacing);
    expect(await back('wrong ids', names[2])).toMatchObject({ hasFlipped: true });
    await expectRows(place, bundle, first);
  });
});

describe('a named state', () => {
  it('that is current and not held is held from then on', async () => {
    const { place, back, names } = await threeStates();
    expect(await back('freeze', names[0])).toMatchObject({
      hasFlipped: true,
      pointer: { hold: 'freeze', generation: 4 },
    });
    await expectRows(place, bundle, replacing);
  });

  it('must be the only one that begins so', async () => {
    const { back } = await threeStates();
    await expect(back('x', '')).rejects.toMatchObject({ code: 'PUBLISH_NO_HISTORY' });
  });
});
