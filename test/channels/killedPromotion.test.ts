import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readBundleManifest } from '../../lib/bundle/bundleManifest.ts';
import { promoteBundle, rollBackChannel } from '../../lib/channels/promote.ts';
import { resolveModel } from '../../lib/channels/resolveModel.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import type { S3Fault } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { freshChannel, NOW, withVersion } from './channelUnderTest.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let bundle: string;
let other: string;

beforeAll(async () => {
  ({ bundleUri: bundle } = await trainTinyModel(folder));
  other = withVersion(bundle, 'tiny-2');
});

type Place = ReturnType<typeof freshChannel>;
const fresh = () => freshChannel(`s3://${s3.bucket}`);
const promote = (source: string, place: Place) => promoteBundle(source, place, NOW);

it('promotes at the same time each flip the channel, one after the other', async () => {
  const place = fresh();
  const outcomes = await Promise.all([promote(bundle, place), promote(other, place)]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['promoted', 'promoted']);
  const generations = outcomes.map(({ channel }) => channel.generation);
  expect([...generations].sort()).toEqual([1, 2]);
  const last = outcomes[generations.indexOf(2)]!.channel;
  const first = outcomes[generations.indexOf(1)]!.channel;
  expect(last.history).toEqual([first.current]);
  expect((await resolveModel(place)).channel).toEqual({ name: 'live', generation: 2 });
});

it('promotes of one bundle at the same time make one flip', async () => {
  const place = fresh();
  const outcomes = await Promise.all([1, 2, 3].map(() => promote(bundle, place)));
  expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['promoted', 'unchanged', 'unchanged']);
  expect(outcomes.map(({ channel }) => channel.generation)).toEqual([1, 1, 1]);
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a promotion that is cut off', () => {
  afterEach(() => {
    s3.double!.options = {};
  });

  const objectsOf = ({ models }: Place) => {
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    const prefix = `${models.slice(`s3://${s3.bucket}/`.length)}/`;
    return bucket.keys(prefix, '').map((key) => `${key.slice(prefix.length)} ${bucket.get(key).etag}`);
  };

  /** Lets `writes` writes below the root through and fails every one after it. */
  function failAfter({ models }: Place, writes: number, fault: S3Fault): () => number {
    let seen = 0;
    const prefix = models.slice(`s3://${s3.bucket}/`.length);
    s3.double!.options = {
      fault: ({ method, key }) => {
        if (method !== 'PUT' || !key.startsWith(prefix)) return undefined;
        return seen++ < writes ? undefined : fault;
      },
    };
    return () => seen;
  }

  it.each(['promote', 'back'])(
    'by %s after any write leaves the former model live, and repeated ends as one that never was',
    async (command) => {
      // A channel with a history of one; its next flip is what is cut off.
      const prepared = async () => {
        const place = fresh();
        await promote(bundle, place);
        if (command === 'back') await promote(other, place);
        return place;
      };
      const act = (place: Place) =>
        command === 'back' ? rollBackChannel(place, { nowMillis: NOW }) : promote(other, place);
      const undisturbed = await prepared();
      const former = await resolveModel(undisturbed);
      const counter = failAfter(undisturbed, Number.POSITIVE_INFINITY, { kind: 'reset' });
      const expected = await act(undisturbed);
      const writes = counter();
      // The files, the manifest and the channel; a step back writes the channel alone.
      const { files } = await readBundleManifest(localDisk, bundle);
      expect(Object.keys(files).length).toBeGreaterThan(3);
      expect(writes).toBe(command === 'back' ? 1 : Object.keys(files).length + 2);
      for (let allowed = 0; allowed < writes; allowed++) {
        s3.double!.options = {};
        const place = await prepared();
        failAfter(place, allowed, { kind: 'status', status: 403, code: 'AccessDenied' });
        await expect(act(place), `${allowed}`).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
        s3.double!.options = {};
        // The manifest comes last: what was cut off isn't taken for a bundle.
        const copied = objectsOf(place).filter((name) => /^bundles\/\w+\/bundle\.json /.test(name));
        const isCopied = command === 'back' || allowed === writes - 1;
        expect(copied, `${allowed}`).toHaveLength(isCopied ? 2 : 1);
        const live = await resolveModel(place);
        expect({ ...live, uri: live.uri.split('/').at(-1) }, `${allowed}`).toEqual({
          ...former,
          uri: former.uri.split('/').at(-1),
        });
        expect(await act(place), `${allowed}`).toEqual(expected);
        expect(objectsOf(place), `${allowed}`).toEqual(objectsOf(undisturbed));
      }
      // Killed after the flip, before anybody was told.
      s3.double!.options = {};
      expect(await act(undisturbed)).toEqual({ ...expected, kind: 'unchanged' });
    },
    120_000,
  );

  it('by lost answers all along ends as an undisturbed one', async () => {
    const [place, undisturbed] = [fresh(), fresh()];
    await promote(bundle, undisturbed);
    const tries = new Map<string, number>();
    s3.double!.options = {
      fault: ({ method, key }) => {
        const attempt = tries.get(`${method} ${key}`) ?? 0;
        tries.set(`${method} ${key}`, attempt + 1);
        return attempt === 0 && method === 'PUT' ? { kind: 'lostAnswer' } : undefined;
      },
    };
    expect(await promote(bundle, place)).toMatchObject({ kind: 'promoted', channel: { generation: 1 } });
    expect(objectsOf(place)).toEqual(objectsOf(undisturbed));
  });

  it('by somebody who moves the channel during a roll-back changes nothing and says so', async () => {
    const place = fresh();
    await promote(bundle, place);
    await promote(other, place);
    const before = objectsOf(place);
    failAfter(place, 0, { kind: 'status', status: 412, code: 'PreconditionFailed' });
    await expect(rollBackChannel(place, { nowMillis: NOW })).rejects.toMatchObject({
      code: 'CHANNEL_MOVED',
      retryable: true,
    });
    expect(objectsOf(place)).toEqual(before);
  });
});
