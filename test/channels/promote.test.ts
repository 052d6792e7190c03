import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { channelUri } from '../../lib/channels/channelDocument.ts';
import { promoteBundle, rollBackChannel } from '../../lib/channels/promote.ts';
import { remedyOf } from '../../lib/cli/remedies.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { channelText, freshChannel, NOW, withVersion } from './channelUnderTest.ts';

const folder = temporaryFolder();

let tiny: TinyModel;
let other: string;
beforeAll(async () => {
  tiny = await trainTinyModel(folder);
  other = withVersion(tiny.bundleUri, 'tiny-2');
});

/** Paths below the bundle. */
const filesOf = (bundle: string) =>
  readdirSync(bundle, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(bundle, join(parentPath, name)));
const digestOf = (bundle: string) => sha256(readFileSync(join(bundle, 'bundle.json')));
const promote = (bundle: string, place: { models: string; channel: string }) =>
  promoteBundle(bundle, place, NOW);
const back = (place: { models: string; channel: string }, to?: string) =>
  rollBackChannel(place, { nowMillis: NOW, ...(to === undefined ? {} : { to }) });

describe('promoting a bundle', () => {
  it('copies it to the place that the digest of its manifest names, and lets the channel name that place', async () => {
    const place = freshChannel(folder);
    const { kind, channel } = await promote(tiny.bundleUri, place);
    const name = `bundles/${digestOf(tiny.bundleUri)}`;
    expect(kind).toBe('promoted');
    expect(JSON.parse(channelText(place))).toEqual(channel);
    expect(channel).toEqual({
      formatVersion: 1,
      channel: 'live',
      generation: 1,
      current: { bundle: name, model: modelIdentity(tiny.bundle), promotedAt: '2026-01-02T03:04:05.000Z' },
      isRolledBack: false,
      history: [],
    });
    for (const file of filesOf(tiny.bundleUri)) {
      const copied = readFileSync(join(place.models, name, file));
      expect(copied.equals(readFileSync(join(tiny.bundleUri, file))), file).toBe(true);
    }
    const copy = await loadBundle(localDisk, join(place.models, name));
    expect(modelIdentity(copy)).toEqual(modelIdentity(tiny.bundle));
  });

  it('again changes nothing, from its place too', async () => {
    const place = freshChannel(folder);
    const { channel } = await promote(tiny.bundleUri, place);
    const before = channelText(place);
    for (const source of [tiny.bundleUri, join(place.models, channel.current.bundle)]) {
      expect(await promoteBundle(source, place, NOW + 5000)).toEqual({ kind: 'unchanged', channel });
    }
    expect(channelText(place)).toBe(before);
    expect(readdirSync(join(place.models, 'bundles'))).toHaveLength(1);
  });

  it('again restores what was deleted of its place', async () => {
    const place = freshChannel(folder);
    const { channel } = await promote(tiny.bundleUri, place);
    const there = join(place.models, channel.current.bundle);
    const files = filesOf(tiny.bundleUri);
    expect(files).toContain('embeddings/item.safetensors');
    for (const file of files) {
      rmSync(join(there, file));
      expect(await promote(tiny.bundleUri, place)).toEqual({ kind: 'unchanged', channel });
      expect(readFileSync(join(there, file)).equals(readFileSync(join(tiny.bundleUri, file)))).toBe(true);
    }
  });

  it('keeps channels of a root apart', async () => {
    const place = freshChannel(folder);
    await promote(tiny.bundleUri, place);
    const before = channelText(place);
    const { channel } = await promote(other, { ...place, channel: 'next' });
    expect(channel).toMatchObject({ channel: 'next', generation: 1, history: [] });
    expect(channelText(place)).toBe(before);
  });

  it('keeps the last twenty that were current, each once', async () => {
    const place = freshChannel(folder);
    const versions = Array.from({ length: 23 }, (_, index) => `v${index}`);
    for (const version of versions) await promote(withVersion(tiny.bundleUri, version), place);
    await promote(withVersion(tiny.bundleUri, 'v21'), place);
    const { current, history, generation } = JSON.parse(channelText(place));
    expect({ current: current.model.version, generation }).toEqual({ current: 'v21', generation: 24 });
    const expected = ['v22', ...versions.slice(2, 21).reverse()];
    expect(expected).toHaveLength(20);
    expect(history.map(({ model }: { model: { version: string } }) => model.version)).toEqual(expected);
  }, 60_000);

  it.each(['model.onnx', 'golden.arrow', 'reference.json', 'embeddings/item.safetensors'])(
    'with a damaged %s is refused before anything is written',
    async (name) => {
      const place = freshChannel(folder);
      const damaged = withVersion(tiny.bundleUri, 'damaged');
      const bytes = readFileSync(join(damaged, name));
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(join(damaged, name), bytes);
      await expect(promote(damaged, place)).rejects.toMatchObject({ code: 'BUNDLE_CORRUPT' });
      expect(existsSync(place.models)).toBe(false);
    },
  );

  it('whose model scores otherwise than its golden rows say is refused before anything is written', async () => {
    const place = freshChannel(folder);
    const { bundleUri } = await trainTinyModel(join(folder, 'elsewhere'), {
      config: { training: { seed: 4 } },
    });
    const forged = withVersion(tiny.bundleUri, 'forged');
    // The whole of the other model, with digests that are right: only the golden rows tell.
    const manifest = JSON.parse(readFileSync(join(forged, 'bundle.json'), 'utf8'));
    const elsewhere = JSON.parse(readFileSync(join(bundleUri, 'bundle.json'), 'utf8'));
    manifest.inputs = elsewhere.inputs;
    for (const file of filesOf(bundleUri).filter((name) => /^(model|embeddings)/.test(name))) {
      cpSync(join(bundleUri, file), join(forged, file));
      manifest.files[file] = elsewhere.files[file];
    }
    writeFileSync(join(forged, 'bundle.json'), JSON.stringify(manifest));
    await expect(promote(forged, place)).rejects.toMatchObject({ code: 'BUNDLE_GOLDEN_MISMATCH' });
    expect(existsSync(place.models)).toBe(false);
  });

  it.each(['model.onnx', 'bundle.json'])(
    'over another %s at its place is refused, and the channel keeps its model',
    async (name) => {
      const place = freshChannel(folder);
      await promote(tiny.bundleUri, place);
      const before = channelText(place);
      const there = join(place.models, 'bundles', digestOf(other));
      mkdirSync(there);
      const foreign =
        name === 'model.onnx' ? Buffer.from('another model') : readFileSync(join(tiny.bundleUri, name));
      writeFileSync(join(there, name), foreign);
      await expect(promote(other, place)).rejects.toMatchObject({
        code: 'BUNDLE_CORRUPT',
        location: { file: there },
      });
      expect(channelText(place)).toBe(before);
      expect(readFileSync(join(there, name)).equals(foreign), 'left as it was').toBe(true);
    },
  );
});

describe('a document that is no channel', () => {
  const foreign: Readonly<Record<string, (text: string) => string>> = {
    'no JSON': () => 'live: v7\n',
    'no known format': (text) => JSON.stringify({ ...JSON.parse(text), formatVersion: 0 }),
    'another channel, copied': (text) => JSON.stringify({ ...JSON.parse(text), channel: 'next' }),
    'a bundle outside of its root': (text) => text.replace('bundles/', 'bundles/../../'),
    'an unknown key': (text) => JSON.stringify({ ...JSON.parse(text), owner: 'me' }),
  };

  it.each(Object.entries(foreign))('with %s is refused and left as it is', async (_, change) => {
    const place = freshChannel(folder);
    await promote(tiny.bundleUri, place);
    const text = change(channelText(place));
    writeFileSync(channelUri(place), text);
    const refusal = { code: 'CHANNEL_INVALID', location: { file: channelUri(place) } };
    await expect(promote(other, place)).rejects.toMatchObject(refusal);
    await expect(back(place)).rejects.toMatchObject(refusal);
    expect(channelText(place)).toBe(text);
    // Told before anything was copied.
    expect(readdirSync(join(place.models, 'bundles'))).toHaveLength(1);
  });

  it('of a later format is not called damaged: removed, its history would be lost', async () => {
    const place = freshChannel(folder);
    await promote(tiny.bundleUri, place);
    const later = JSON.stringify({ ...JSON.parse(channelText(place)), formatVersion: 2, owner: 'me' });
    writeFileSync(channelUri(place), later);
    const refusal = {
      code: 'CHANNEL_NEWER',
      location: { file: channelUri(place) },
      message: expect.stringMatching(/use that version.*expected format version 1, found 2/),
    };
    await expect(promote(other, place)).rejects.toMatchObject(refusal);
    await expect(back(place)).rejects.toMatchObject(refusal);
    expect(channelText(place)).toBe(later);
    expect(remedyOf('CHANNEL_NEWER')).toMatch(/remove nothing/);
  });

  it('is told with every problem at once', async () => {
    const place = freshChannel(folder);
    mkdirSync(dirname(channelUri(place)), { recursive: true });
    writeFileSync(channelUri(place), '{"formatVersion":0,"generation":0}');
    const error = await promote(tiny.bundleUri, place).catch((thrown: Error) => thrown);
    for (const key of ['formatVersion', 'channel', 'generation', 'current', 'history']) {
      expect((error as Error).message).toContain(`- ${key}: `);
    }
  });
});

describe('rolling back', () => {
  it('names the bundle before in one flip, and repeated changes nothing', async () => {
    const place = freshChannel(folder);
    await promote(tiny.bundleUri, place);
    await promote(other, place);
    const rolled = await back(place);
    expect(rolled.kind).toBe('rolled back');
    expect(rolled.channel).toMatchObject({
      generation: 3,
      current: { bundle: `bundles/${digestOf(tiny.bundleUri)}` },
      isRolledBack: true,
      history: [{ bundle: `bundles/${digestOf(other)}` }],
    });
    expect(await back(place)).toEqual({ kind: 'unchanged', channel: rolled.channel });
    expect(JSON.parse(channelText(place))).toEqual(rolled.channel);
    // The next promotion ends that.
    await promote(other, place);
    expect((await back(place)).channel.current.bundle).toBe(`bundles/${digestOf(tiny.bundleUri)}`);
  });

  it('to a digest, or how it begins, reaches any bundle of the history; there already, changes nothing', async () => {
    const place = freshChannel(folder);
    const third = withVersion(tiny.bundleUri, 'tiny-3');
    for (const bundle of [tiny.bundleUri, other, third]) await promote(bundle, place);
    const oldest = digestOf(tiny.bundleUri);
    const rolled = await back(place, oldest.slice(0, 12));
    expect(rolled).toMatchObject({ kind: 'rolled back', channel: { generation: 4 } });
    expect(rolled.channel.current.bundle).toBe(`bundles/${oldest}`);
    expect(await back(place, oldest)).toEqual({ kind: 'unchanged', channel: rolled.channel });
    expect((await back(place, digestOf(third))).channel.history.map(({ model }) => model.version)).toEqual([
      'tiny-1',
      'tiny-2',
    ]);
  });

  it('to what was never there is refused with what there is', async () => {
    const place = freshChannel(folder);
    await expect(back(place)).rejects.toMatchObject({ code: 'CHANNEL_NOT_FOUND' });
    await promote(tiny.bundleUri, place);
    await expect(back(place)).rejects.toMatchObject({
      code: 'CHANNEL_NO_HISTORY',
      found: 'no earlier bundle',
    });
    await promote(other, place);
    await expect(back(place, 'f'.repeat(64))).rejects.toMatchObject({
      code: 'CHANNEL_NO_HISTORY',
      found: `${digestOf(tiny.bundleUri).slice(0, 12)} (tiny-1)`,
    });
  });

  it('to a beginning that two bundles share is refused', async () => {
    const place = freshChannel(folder);
    await promote(tiny.bundleUri, place);
    await promote(other, place);
    const channel = JSON.parse(channelText(place));
    const [promotion] = channel.history;
    channel.history = ['abcd1', 'abcd2'].map((start) => ({
      ...promotion,
      bundle: `bundles/${start.padEnd(64, '0')}`,
    }));
    writeFileSync(channelUri(place), JSON.stringify(channel));
    await expect(back(place, 'abcd')).rejects.toMatchObject({ code: 'CHANNEL_NO_HISTORY' });
  });

  it('to a bundle that is gone or damaged is refused, and the channel keeps its model', async () => {
    const place = freshChannel(folder);
    await promote(tiny.bundleUri, place);
    await promote(other, place);
    const before = channelText(place);
    const there = join(place.models, 'bundles', digestOf(tiny.bundleUri));
    writeFileSync(join(there, 'model.onnx'), 'another model');
    await expect(back(place)).rejects.toMatchObject({ code: 'BUNDLE_CORRUPT' });
    rmSync(there, { recursive: true });
    await expect(back(place)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    expect(channelText(place)).toBe(before);
  });
});
