import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import type { S3Fault } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { expectRows, first, freshPlace, type Place, put, run, second } from './partitionUnderTest.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let model1: ModelBundle;

beforeAll(async () => {
  ({ bundle: model1 } = await trainTinyModel(join(folder, 'model-1')));
}, 60_000);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run that is cut off', () => {
  afterEach(() => {
    s3.double!.options = {};
  });

  const objectsOf = (place: Place) => {
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    const prefix = `${place.root.slice(`s3://${s3.bucket}/`.length)}/`;
    return bucket.keys(prefix, '').map((key) => `${key.slice(prefix.length)} ${bucket.get(key).etag}`);
  };

  /** Lets `writes` writes below the root through and fails every one after it. */
  function failAfter(place: Place, writes: number, fault: S3Fault): () => number {
    let seen = 0;
    const prefix = place.root.slice(`s3://${s3.bucket}/`.length);
    s3.double!.options = {
      fault: ({ method, key }) => {
        if (method !== 'PUT' || !key.startsWith(prefix)) return undefined;
        return seen++ < writes ? undefined : fault;
      },
    };
    return () => seen;
  }

  it('after any write leaves the former state visible, or the new one after the flip, and the next run ends with the same objects as one that never was', async () => {
    const base = `s3://${s3.bucket}/crashes`;
    // The input stands once, so that all cases name the same versions and URIs: only the root differs.
    const inputUri = joinUri(base, 'input');
    const undisturbed = { inputUri, root: joinUri(base, 'undisturbed') };
    await put(undisturbed, 'a.parquet', second);
    await run(undisturbed, model1);
    await put(undisturbed, 'a.parquet', first);
    const counter = failAfter(undisturbed, Number.POSITIVE_INFINITY, { kind: 'reset' });
    await run(undisturbed, model1);
    const writes = counter();
    // The shapes of the shards, four parts, their fingerprints and receipts, a manifest, an audit document, the pointer; that document again.
    expect(writes).toBe(17);
    const writesToFlip = writes - 1;
    for (let allowed = 0; allowed < writes; allowed++) {
      s3.double!.options = {};
      const place = { inputUri, root: joinUri(base, `after-${allowed}`) };
      await put(place, 'a.parquet', second);
      await run(place, model1);
      await put(place, 'a.parquet', first);
      failAfter(place, allowed, { kind: 'status', status: 403, code: 'AccessDenied' });
      await expect(run(place, model1), `${allowed}`).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
      s3.double!.options = {};
      await expectRows(place, model1, allowed < writesToFlip ? second : first);
      const { outcome } = await run(place, model1);
      expect(outcome.kind).toBe(allowed < writesToFlip ? 'published' : 'unchanged');
      await expectRows(place, model1, first);
      const names = (found: string[]) => found.filter((name) => /^(parts|receipts|keys)\//.test(name));
      expect(names(objectsOf(place)), `${allowed}`).toEqual(names(objectsOf(undisturbed)));
      expect(objectsOf(place)).toHaveLength(objectsOf(undisturbed).length);
    }
    // Twenty runs, each with threads of its own: a busy machine needs more than the default.
  }, 480_000);

  it('by lost answers, slow-downs and resets all along ends as an undisturbed one', async () => {
    const place = freshPlace(`s3://${s3.bucket}/faults`);
    await put(place, 'a.parquet', first);
    const faults: S3Fault[] = [
      { kind: 'lostAnswer' },
      { kind: 'status', status: 503, code: 'SlowDown' },
      { kind: 'reset' },
      { kind: 'cut', afterBytes: 7 },
    ];
    const tries = new Map<string, number>();
    s3.double!.options = {
      fault: ({ method, key, query }) => {
        // The first try of every request fails, one kind after the other.
        const name = `${method} ${key} ${query}`;
        const attempt = tries.get(name) ?? 0;
        tries.set(name, attempt + 1);
        return attempt === 0 && method !== 'HEAD' ? faults[tries.size % faults.length] : undefined;
      },
    };
    expect(await run(place, model1)).toMatchObject({ outcome: { kind: 'published' } });
    s3.double!.options = {};
    // Two of them are what the probe of the store leaves.
    expect(objectsOf(place)).toHaveLength(18);
    await expectRows(place, model1, first);
  }, 60_000);
});
