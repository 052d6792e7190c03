import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { channelUri } from '../../lib/channels/channelDocument.ts';
import { promoteBundle } from '../../lib/channels/promote.ts';
import { resolveModel } from '../../lib/channels/resolveModel.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { first, freshPlace, PARTITION, put, run } from '../publish/partitionUnderTest.ts';
import { channelText, folder, freshChannel, NOW, withVersion } from './channelUnderTest.ts';

let tiny: TinyModel;
let other: string;
beforeAll(async () => {
  tiny = await trainTinyModel(folder);
  other = withVersion(tiny.bundleUri, 'tiny-2');
});

async function promoted() {
  const place = freshChannel(folder);
  const { channel } = await promoteBundle(tiny.bundleUri, place, NOW);
  return { place, uri: join(place.models, channel.current.bundle) };
}

describe("a job's model", () => {
  it('is the bundle that it names', async () => {
    const { bundleUri: uri } = tiny;
    expect(await resolveModel(uri)).toEqual({ uri, model: modelIdentity(tiny.bundle) });
    await expect(resolveModel(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  });

  it('is the immutable bundle that its channel names at the moment', async () => {
    const { place, uri } = await promoted();
    const model = modelIdentity(tiny.bundle);
    expect(await resolveModel(place)).toEqual({ uri, model, channel: { name: 'live', generation: 1 } });
    await promoteBundle(other, place, NOW);
    const next = await resolveModel(place);
    expect(next).toMatchObject({ model: { version: 'tiny-2' }, channel: { generation: 2 } });
    expect(next.uri).not.toBe(uri);
  });

  it('stands in pointers as the immutable bundle: shards that land after the channel moved find their model', async () => {
    const { place, uri } = await promoted();
    const published = freshPlace(folder);
    await put(published, 'a.parquet', first);
    const bundle = await loadBundle(localDisk, (await resolveModel(place)).uri);
    expect((await run(published, bundle)).outcome.kind).toBe('published');
    await promoteBundle(other, place, NOW);
    const { pointer } = await readPointer(published.root, PARTITION);
    expect(pointer!.current.modelUri).toBe(uri);
    const late = await loadBundle(localDisk, pointer!.current.modelUri);
    expect(modelIdentity(late)).toEqual(pointer!.current.model);
  });
});

describe('a channel is refused', () => {
  it('that nothing was promoted to', async () => {
    const { place } = await promoted();
    const none = { ...place, channel: 'next' };
    await expect(resolveModel(none)).rejects.toMatchObject({
      code: 'CHANNEL_NOT_FOUND',
      location: { file: channelUri(none) },
    });
  });

  it('whose document is damaged', async () => {
    const { place } = await promoted();
    writeFileSync(channelUri(place), channelText(place).slice(0, 40));
    await expect(resolveModel(place)).rejects.toMatchObject({ code: 'CHANNEL_INVALID' });
  });

  it('whose bundle is gone', async () => {
    const { place, uri } = await promoted();
    rmSync(uri, { recursive: true });
    await expect(resolveModel(place)).rejects.toMatchObject({
      code: 'CHANNEL_BUNDLE_MISSING',
      location: { file: uri },
    });
  });

  it('whose bundle is another one, even of the same model', async () => {
    const { place, uri } = await promoted();
    cpSync(other, uri, { recursive: true });
    await expect(resolveModel(place)).rejects.toMatchObject({
      code: 'CHANNEL_OTHER_BUNDLE',
      location: { file: uri },
    });
  });

  it('that says another model of its bundle', async () => {
    const { place } = await promoted();
    const document = JSON.parse(channelText(place));
    document.current.model.sha256 = '0'.repeat(64);
    writeFileSync(channelUri(place), JSON.stringify(document));
    await expect(resolveModel(place)).rejects.toMatchObject({ code: 'CHANNEL_OTHER_BUNDLE' });
  });
});
