import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { announce, type PublishedEvent, type ScoresEvent } from '../../lib/publish/announce.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { type Pointer, readPointer } from '../../lib/publish/pointer.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { first, freshPlace, PARTITION, type Place, publish, put, run, second } from './partitionUnderTest.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let bundle: ModelBundle;
beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);

/** Keeps what it is sent; refuses as long as it is down. */
class Announcer {
  readonly events: PublishedEvent[] = [];
  isDown = false;

  async send({ type, detail }: ScoresEvent): Promise<void> {
    if (this.isDown) throw new Error('the bus is down');
    if (type === 'Scores Published') this.events.push(detail);
  }
}

async function pointerOf({ root }: Place): Promise<Pointer> {
  return (await readPointer(root, PARTITION)).pointer!;
}

/** A published partition that nobody was told of. */
async function published(base = folder): Promise<Place> {
  const place = freshPlace(base);
  await put(place, 'a.parquet', second);
  expect((await run(place, bundle)).outcome.kind).toBe('published');
  return place;
}

describe('an event', () => {
  it('tells partition, manifest, model, rows and generation of the flip', async () => {
    const place = await published();
    const announcer = new Announcer();
    const pointer = await pointerOf(place);
    expect(await announce(place.root, pointer, announcer)).toBe(true);
    const [event] = announcer.events;
    expect(event).toEqual({
      eventVersion: 1,
      deduplicationId: expect.stringMatching(/^[0-9a-f]{64}$/),
      scores: place.root,
      partition: PARTITION,
      generation: 1,
      manifest: expect.stringMatching(/^manifests\//),
      manifestUri: joinUri(place.root, event!.manifest),
      model: modelIdentity(bundle),
      rows: second.length,
      hold: null,
    });
    const manifest = await storageFor(place.root).readWhole(event!.manifestUri);
    expect(sha256(manifest)).toBe(pointer.current.sha256);
  });

  it('is sent once for a flip, and the next flip has another id and a higher generation', async () => {
    const place = await published();
    const announcer = new Announcer();
    const tell = async () => announce(place.root, await pointerOf(place), announcer);
    expect([await tell(), await tell()]).toEqual([true, false]);
    await put(place, 'b.parquet', first);
    await run(place, bundle);
    expect([await tell(), await tell()]).toEqual([true, false]);
    await rollBack(place.root, PARTITION, 'wrong day');
    expect([await tell(), await tell()]).toEqual([true, false]);
    const { events } = announcer;
    expect(events.map(({ generation, rows, hold }) => [generation, rows, hold])).toEqual([
      [1, 150, null],
      [2, 550, null],
      [3, 150, 'wrong day'],
    ]);
    expect(new Set(events.map(({ deduplicationId }) => deduplicationId)).size).toBe(3);
    // Rolled back to the manifest of before.
    expect(events[2]!.manifest).toBe(events[0]!.manifest);
  });

  it('has an id of its root, however that is written, and of no other', async () => {
    const place = await published();
    const pointer = await pointerOf(place);
    const announcer = new Announcer();
    expect(await announce(place.root, pointer, announcer)).toBe(true);
    expect(await announce(`${place.root}/`, pointer, announcer)).toBe(false);
    expect(await announce(`${place.root}-moved`, pointer, announcer)).toBe(true);
    expect(new Set(announcer.events.map(({ deduplicationId }) => deduplicationId)).size).toBe(2);
  });

  it('of a partition of several keys has a marker of its own', async () => {
    const place = await published();
    const pointer = { ...(await pointerOf(place)), partition: 'region=eu/dt=2024-03-09' };
    const announcer = new Announcer();
    expect(await announce(place.root, pointer, announcer)).toBe(true);
    expect(await announce(place.root, { ...pointer, partition: 'region=us/dt=2024-03-09' }, announcer)).toBe(
      true,
    );
    expect(await storageFor(place.root).exists(markerUri(place, 'region=eu/dt=2024-03-09'))).toBe(true);
    expect(await announce(place.root, pointer, announcer)).toBe(false);
  });
});

function markerUri({ root }: Place, partition = PARTITION, generation = 1): string {
  return joinUri(root, 'announced', ...partition.split('/'), `${generation}.json`);
}

describe('readers are told', () => {
  it('by the next publication, though it changes nothing, when the flip was the last thing that was done', async () => {
    const place = await published();
    const announcer = new Announcer();
    announcer.isDown = true;
    const pointer = await pointerOf(place);
    await expect(announce(place.root, pointer, announcer)).rejects.toThrow('the bus is down');
    announcer.isDown = false;
    const outcome = await publish(place, bundle);
    expect(outcome.kind).toBe('unchanged');
    const { pointer: unchanged } = outcome as { pointer: Pointer };
    expect(await announce(place.root, unchanged, announcer)).toBe(true);
    expect(announcer.events).toMatchObject([{ partition: PARTITION, generation: 1 }]);
  });

  it('at most once by each of the publishers that meet, and always of the same event', async () => {
    const place = await published();
    const announcer = new Announcer();
    const pointer = await pointerOf(place);
    const told = await Promise.all([1, 2, 3, 4].map(() => announce(place.root, pointer, announcer)));
    expect(announcer.events).toHaveLength(told.filter(Boolean).length);
    expect(announcer.events.length).toBeGreaterThan(0);
    expect(new Set(announcer.events.map((event) => JSON.stringify(event))).size).toBe(1);
    expect(await announce(place.root, pointer, announcer)).toBe(false);
  });

  it('again when a marker can no longer be read', async () => {
    const place = await published();
    const announcer = new Announcer();
    const pointer = await pointerOf(place);
    await announce(place.root, pointer, announcer);
    const storage = storageFor(place.root);
    for (const text of ['', '{"deduplicationId":5}', '[]']) {
      const { version } = (await storage.readVersioned(markerUri(place)))!;
      await storage.replaceIfVersion(markerUri(place), Buffer.from(text), version);
      expect(await announce(place.root, pointer, announcer), text).toBe(true);
      expect(await announce(place.root, pointer, announcer), text).toBe(false);
    }
  });

  it('when generations begin anew because the pointer was removed', async () => {
    const place = await published();
    const announcer = new Announcer();
    await announce(place.root, await pointerOf(place), announcer);
    await storageFor(place.root).remove(joinUri(place.root, 'pointers', `${PARTITION}.json`));
    await put(place, 'b.parquet', first);
    await run(place, bundle);
    const pointer = await pointerOf(place);
    expect(pointer.generation).toBe(1);
    expect(await announce(place.root, pointer, announcer)).toBe(true);
    expect(await announce(place.root, pointer, announcer)).toBe(false);
    expect(announcer.events.map(({ rows }) => rows)).toEqual([150, 550]);
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a publisher that is killed', () => {
  afterEach(() => {
    s3.double!.options = {};
  });

  it('after it told readers and before it noted that leaves a duplicate with the same id', async () => {
    const place = await published(`s3://${s3.bucket}`);
    const announcer = new Announcer();
    const pointer = await pointerOf(place);
    s3.double!.options = {
      fault: ({ method, key }) =>
        method === 'PUT' && key.includes('/announced/')
          ? { kind: 'status', status: 403, code: 'AccessDenied' }
          : undefined,
    };
    await expect(announce(place.root, pointer, announcer)).rejects.toMatchObject({
      code: 'STORAGE_ACCESS_DENIED',
    });
    s3.double!.options = {};
    expect(await announce(place.root, pointer, announcer)).toBe(true);
    expect(await announce(place.root, pointer, announcer)).toBe(false);
    const [one, two] = announcer.events;
    expect(announcer.events).toHaveLength(2);
    expect(two).toEqual(one);
  });

  it('never leaves a marker of an event that was not accepted', async () => {
    const place = await published(`s3://${s3.bucket}`);
    const announcer = new Announcer();
    announcer.isDown = true;
    await expect(announce(place.root, await pointerOf(place), announcer)).rejects.toThrow();
    expect(await storageFor(place.root).readVersioned(markerUri(place))).toBeUndefined();
  });
});
