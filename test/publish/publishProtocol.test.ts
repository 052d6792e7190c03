import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { tableFromIPC } from 'apache-arrow';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/model/loadBundle.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { publishPartition } from '../../lib/publish/publishPartition.ts';
import { resolvePartition } from '../../lib/publish/resolvePartition.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { makeRunPlan } from '../../lib/publish/runPlan.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { writeWhole } from '../../lib/storage/writeWhole.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits, tableBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import type { S3Fault } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();
const PARTITION = 'dt=2024-03-09';
const TARGET_ROWS = 100;
/** 400 rows in row groups of 60: four spans. */
const first = funnelRows('2024-03-09', 400);
const second = funnelRows('2024-03-10', 150);
const replacing = funnelRows('2024-03-11', 260);
let model1: ModelBundle;
let model2: ModelBundle;

beforeAll(async () => {
  ({ bundle: model1 } = await trainTinyModel(join(folder, 'model-1')));
  ({ bundle: model2 } = await trainTinyModel(join(folder, 'model-2'), {
    config: { modelVersion: 'tiny-2', training: { seed: 7 } },
  }));
}, 60_000);

let count = 0;
/** An input folder and an output root of their own, on disk or in S3. */
function freshPlace(base: string) {
  const name = `case-${count++}`;
  return { inputUri: joinUri(base, name, 'input'), root: joinUri(base, name, 'scores') };
}
type Place = ReturnType<typeof freshPlace>;

const put = (place: Place, name: string, rows: readonly FunnelRow[]) =>
  writeWhole(joinUri(place.inputUri, name), funnelShard(rows, 60));
async function run(place: Place, bundle = model1, { liftHold = false, workers = 2 } = {}) {
  const request = { modelUri: bundle.uri, model: modelIdentity(bundle), targetRows: TARGET_ROWS, liftHold };
  const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
  const plan = await makeRunPlan({ ...request, root: place.root }, inputs);
  const [executed] = await executePlan(plan, bundle, { workers });
  return { ...executed!, partsDoneBefore: plan.partitions[0]!.done.length };
}
const publish = ({ root, inputUri }: Place, bundle: ModelBundle, over: object = {}) =>
  publishPartition(
    { root, partition: PARTITION, model: modelIdentity(bundle) },
    { inputUri, targetRows: TARGET_ROWS, ...over },
  );

/** What a reader gets by following the pointer: bits of the scores by impression, and the model. */
async function read({ root }: Place) {
  const { manifest, pointer } = await resolvePartition(root, PARTITION);
  const bits = new Map<bigint, string>();
  for (const { uri } of manifest.parts) {
    for (const [id, text] of tableBits(tableFromIPC(await storageFor(uri).readWhole(uri)))) {
      expect(bits.has(id), 'a row is in one part only').toBe(false);
      bits.set(id, text);
    }
  }
  return { bits, model: manifest.model.version, rows: manifest.rows, generation: pointer.generation };
}

/** The same by `score` on local files, without the protocol. */
const expected = new Map<string, Map<bigint, string>>();
async function expectedBits(bundle: ModelBundle, rows: readonly FunnelRow[]): Promise<Map<bigint, string>> {
  const key = `${bundle.manifest.modelVersion} ${rows[0]!.impression_id}`;
  const known = expected.get(key);
  if (known !== undefined) return known;
  const input = join(folder, 'expected', `${expected.size}.parquet`);
  mkdirSync(join(folder, 'expected'), { recursive: true });
  writeFileSync(input, funnelShard(rows, 60));
  const output = join(folder, 'expected', `${expected.size}.arrow`);
  await scoreInput(input, output, bundle, { workers: 1 });
  expected.set(key, scoreBits(output));
  return expected.get(key)!;
}
async function expectRows(place: Place, bundle: ModelBundle, ...shards: (readonly FunnelRow[])[]) {
  const wanted = new Map<bigint, string>();
  for (const rows of shards) for (const [id, bits] of await expectedBits(bundle, rows)) wanted.set(id, bits);
  const found = await read(place);
  expect(found.model).toBe(bundle.manifest.modelVersion);
  expect(found.rows).toBe(wanted.size);
  expect(isDeepStrictEqual(found.bits, wanted), 'exactly these rows with these bits').toBe(true);
}

describe.each([
  ['local disk', join(folder, 'published')],
  ['S3', `s3://${s3.bucket}/published`],
])('publishing on %s', (_, base) => {
  it('makes all rows of a partition visible at once, with the bits that `score` gives', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await put(place, 'b.parquet', second);
    await expect(read(place)).rejects.toMatchObject({ code: 'PUBLISH_NOTHING' });
    const { outcome, partsScored, partsDoneBefore } = await run(place);
    expect(outcome).toMatchObject({ kind: 'published', pointer: { generation: 1, hold: null, history: [] } });
    // Six row groups of 60 and one of 40 make spans of two; the second shard has two row groups of 60 and one of 30.
    expect({ partsScored, partsDoneBefore }).toEqual({ partsScored: 6, partsDoneBefore: 0 });
    await expectRows(place, model1, first, second);
    const { manifest } = await resolvePartition(place.root, PARTITION);
    expect(
      manifest.parts.map(({ firstRowGroup, endRowGroup, rows }) => [firstRowGroup, endRowGroup, rows]),
    ).toEqual([
      [0, 2, 120],
      [2, 4, 120],
      [4, 6, 120],
      [6, 7, 40],
      [0, 2, 120],
      [2, 3, 30],
    ]);
    for (const { inputUri, inputVersion, sha256, sizeBytes, statistics } of manifest.parts) {
      expect(inputVersion).toBe((await storageFor(inputUri).stat(inputUri))!.version);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(sizeBytes).toBeGreaterThan(0);
      expect(statistics.pctr.min).toBeLessThan(statistics.pctr.mean!);
      expect(statistics.pctr.mean).toBeLessThan(statistics.pctr.max!);
    }
  });

  it('does nothing twice: a second run finds everything done and changes no object', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await run(place);
    const before = await storageFor(place.root).list(place.root);
    const again = await run(place);
    expect(again).toMatchObject({ partsScored: 0, partsDoneBefore: 4, outcome: { kind: 'unchanged' } });
    expect(await storageFor(place.root).list(place.root)).toEqual(before);
  });

  it('follows a replaced, an added and a removed shard, and scores only what is new', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await put(place, 'b.parquet', second);
    await run(place);
    await put(place, 'a.parquet', replacing);
    await expectRows(place, model1, first, second);
    expect(await run(place)).toMatchObject({ partsScored: 3, partsDoneBefore: 2 });
    await expectRows(place, model1, replacing, second);
    await storageFor(place.inputUri).remove(joinUri(place.inputUri, 'b.parquet'));
    expect(await run(place)).toMatchObject({ partsScored: 0, outcome: { pointer: { generation: 3 } } });
    await expectRows(place, model1, replacing);
  });

  it('publishes nothing while a part is missing, and says which', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place);
    await put(place, 'b.parquet', first);
    const outcome = await publish(place, model1);
    expect(outcome.kind).toBe('incomplete');
    expect(outcome).toMatchObject({ missing: [{ firstRowGroup: 0 }, {}, {}, { endRowGroup: 7, rows: 40 }] });
    await expectRows(place, model1, second);
  });

  it('a deleted part is scored again before anything is published with it', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place);
    const { manifest } = await resolvePartition(place.root, PARTITION);
    await storageFor(place.root).remove(manifest.parts[0]!.uri);
    expect(await publish(place, model1)).toMatchObject({
      kind: 'incomplete',
      missing: [{ firstRowGroup: 0 }],
    });
    expect(await run(place)).toMatchObject({ partsScored: 1, outcome: { kind: 'unchanged' } });
    await expectRows(place, model1, second);
  });

  it('refuses what a gate refuses, and leaves the former state visible', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place);
    await put(place, 'a.parquet', replacing);
    await run(place, model2);
    const outcome = await publish(place, model1, { gates: [() => ['too few rows']] });
    expect(outcome.kind).toBe('incomplete');
    const refused = await publish(place, model2, { gates: [() => ['too few rows']] });
    expect(refused).toEqual({ kind: 'refused', problems: ['too few rows'] });
    await expectRows(place, model2, replacing);
  });

  it('rolls back by one flip, holds the partition against later runs, and goes on when the hold is lifted', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await run(place);
    expect(await run(place, model2)).toMatchObject({ outcome: { kind: 'published' } });
    await expectRows(place, model2, first);
    const parts = (await storageFor(place.root).list(joinUri(place.root, 'parts'))).length;
    const pointer = await rollBack(place.root, PARTITION, 'pCTR drifted');
    expect(pointer).toMatchObject({
      generation: 3,
      hold: 'pCTR drifted',
      current: { model: { version: 'tiny-1' } },
    });
    await expectRows(place, model1, first);
    expect(await run(place, model2)).toMatchObject({ outcome: { kind: 'held', reason: 'pCTR drifted' } });
    await expectRows(place, model1, first);
    expect(await run(place, model2, { liftHold: true })).toMatchObject({ outcome: { kind: 'published' } });
    await expectRows(place, model2, first);
    expect(await storageFor(place.root).list(joinUri(place.root, 'parts'))).toHaveLength(parts);
    await expect(rollBack(place.root, PARTITION, 'x', 'ffffffffffff')).rejects.toMatchObject({
      code: 'PUBLISH_NO_HISTORY',
    });
  });

  it('a run of another model that was planned before the last publication is superseded', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place);
    await run(place, model2);
    expect(await publish(place, model1, { basedOnGeneration: 1 })).toMatchObject({ kind: 'superseded' });
    await expectRows(place, model2, second);
    // A late run of the model that is visible may publish: it publishes what is there now.
    await put(place, 'b.parquet', replacing);
    await run(place, model2);
    expect(await publish(place, model2, { basedOnGeneration: 1 })).toMatchObject({ kind: 'unchanged' });
  });

  it('ends alike when six run at a time: one set of parts, one manifest, one generation', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    const runs = await Promise.all(Array.from({ length: 6 }, () => run(place, model1, { workers: 1 })));
    expect(runs.filter(({ outcome }) => outcome.kind === 'published')).toHaveLength(1);
    expect(runs.filter(({ outcome }) => outcome.kind === 'unchanged')).toHaveLength(5);
    const files = await storageFor(place.root).list(place.root);
    expect(files.map(({ relativePath }) => relativePath.split('/')[0]).sort()).toEqual(
      ['manifests', ...Array(4).fill('parts'), 'pointers', ...Array(4).fill('receipts')].sort(),
    );
    expect((await read(place)).generation).toBe(1);
    await expectRows(place, model1, first);
  }, 30_000);

  it('tells a damaged manifest from a whole one', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place);
    const { pointer } = await resolvePartition(place.root, PARTITION);
    const { bytes } = (await storageFor(place.root).readVersioned(pointer.current.manifest))!;
    await writeWhole(
      pointer.current.manifest,
      bytes.map((byte, i) => (i === 300 ? byte ^ 1 : byte)),
    );
    await expect(read(place)).rejects.toMatchObject({ code: 'PUBLISH_MANIFEST_DAMAGED' });
  });

  it('a reader sees whole states only, while shards are replaced and runs race', async () => {
    const place = freshPlace(base);
    const contents = [first, replacing, second];
    await put(place, 'a.parquet', contents[0]!);
    await run(place);
    const states = await Promise.all(contents.map((rows) => expectedBits(model1, rows)));
    let isDone = false;
    const seen = new Set<number>();
    const reader = (async () => {
      while (!isDone) {
        const { bits } = await read(place);
        const state = states.findIndex((wanted) => isDeepStrictEqual(bits, wanted));
        expect(state, 'one of the whole states').toBeGreaterThanOrEqual(0);
        seen.add(state);
      }
    })();
    for (const rows of contents.slice(1)) {
      await put(place, 'a.parquet', rows);
      await Promise.all([run(place), run(place)]);
    }
    isDone = true;
    await reader;
    await expectRows(place, model1, second);
    expect(seen.size).toBeGreaterThan(1);
  }, 30_000);
});

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

  it('after any write leaves the former state visible, and the next run ends with the same objects as one that never was', async () => {
    const base = `s3://${s3.bucket}/crashes`;
    // The input stands once, so that all cases name the same versions and URIs: only the root differs.
    const inputUri = joinUri(base, 'input');
    const undisturbed = { inputUri, root: joinUri(base, 'undisturbed') };
    await put(undisturbed, 'a.parquet', second);
    await run(undisturbed);
    await put(undisturbed, 'a.parquet', first);
    const counter = failAfter(undisturbed, Number.POSITIVE_INFINITY, { kind: 'reset' });
    await run(undisturbed);
    const writes = counter();
    // Four parts, four receipts, a manifest, the pointer.
    expect(writes).toBe(10);
    for (let allowed = 0; allowed < writes; allowed++) {
      s3.double!.options = {};
      const place = { inputUri, root: joinUri(base, `after-${allowed}`) };
      await put(place, 'a.parquet', second);
      await run(place);
      await put(place, 'a.parquet', first);
      failAfter(place, allowed, { kind: 'status', status: 403, code: 'AccessDenied' });
      await expect(run(place), `${allowed}`).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
      s3.double!.options = {};
      await expectRows(place, model1, second);
      await run(place);
      await expectRows(place, model1, first);
      const names = (found: string[]) => found.filter((name) => name.startsWith('parts/'));
      expect(names(objectsOf(place)), `${allowed}`).toEqual(names(objectsOf(undisturbed)));
      expect(objectsOf(place)).toHaveLength(objectsOf(undisturbed).length);
    }
  }, 60_000);

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
    expect(await run(place)).toMatchObject({ outcome: { kind: 'published' } });
    s3.double!.options = {};
    expect(objectsOf(place)).toHaveLength(10);
    await expectRows(place, model1, first);
  }, 60_000);
});

it('leaves no temporary file on disk', async () => {
  const place = freshPlace(join(folder, 'published'));
  await put(place, 'a.parquet', second);
  await run(place);
  await run(place, model2);
  expect(filesBelow(place.root).filter((name) => name.includes('.tmp') || name.includes('.lock'))).toEqual(
    [],
  );
});
