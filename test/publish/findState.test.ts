import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findState } from '../../lib/publish/findState.ts';
import { writeManifest } from '../../lib/publish/manifest.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { first, freshPlace, PARTITION, put, run } from './partitionUnderTest.ts';

const folder = temporaryFolder();

const place = freshPlace(join(folder, 'found'));
const find = (name: Parameters<typeof findState>[2], partition = PARTITION) =>
  findState(place.root, partition, name);

beforeAll(async () => {
  const { bundle: one } = await trainTinyModel(join(folder, 'model-1'));
  const { bundle: two } = await trainTinyModel(join(folder, 'model-2'), {
    config: { modelVersion: 'tiny-2', training: { seed: 7 } },
  });
  await put(place, 'a.parquet', first);
  await run(place, one);
  await expect(find('before')).rejects.toMatchObject({ code: 'PUBLISH_NO_HISTORY' });
  await run(place, two);
}, 60_000);

describe('a state of a partition', () => {
  it('is found as what is visible, what was visible before, or by how its manifest begins', async () => {
    const current = await find('current');
    const before = await find('before');
    expect(current).toMatchObject({ isCurrent: true, manifest: { model: { version: 'tiny-2' } } });
    expect(before).toMatchObject({ isCurrent: false, publication: { model: { version: 'tiny-1' } } });
    for (const state of [current, before]) {
      expect(await find({ manifest: state.sha256.slice(0, 12) })).toEqual(state);
      expect(await find({ manifest: state.sha256 })).toEqual(state);
    }
  });

  it('is found by its whole digest when no pointer names it', async () => {
    const { manifest } = await find('current');
    const other = await writeManifest(place.root, { ...manifest, runId: 'never published' });
    const found = await find({ manifest: other.sha256 });
    expect(found).toMatchObject({ isCurrent: false, manifest: { runId: 'never published' } });
    expect(found.publication).toBeUndefined();
    await expect(find({ manifest: other.sha256.slice(0, 12) })).rejects.toMatchObject({
      code: 'PUBLISH_NO_HISTORY',
    });
  });

  it('is refused with the states that there are when none, or more than one, has the name', async () => {
    const { sha256 } = await find('current');
    await expect(find({ manifest: 'f'.repeat(64) })).rejects.toMatchObject({
      code: 'PUBLISH_NO_HISTORY',
      found: expect.stringContaining(`${sha256.slice(0, 12)} (tiny-2)`),
    });
    await expect(find({ manifest: '' })).rejects.toThrow(/more than one state begins like this/);
    await expect(find('current', 'dt=1999-01-01')).rejects.toMatchObject({ code: 'PUBLISH_NOTHING' });
    await expect(findState(join(folder, 'nowhere'), PARTITION, 'current')).rejects.toMatchObject({
      code: 'PUBLISH_NO_ROOT',
    });
  });
});
