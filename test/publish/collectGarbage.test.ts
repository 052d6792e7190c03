import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { announce } from '../../lib/publish/announce.ts';
import { readBlocked } from '../../lib/publish/blockedPartition.ts';
import { readManifest } from '../../lib/publish/manifest.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { releasePartition } from '../../lib/publish/releasePartition.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { GATES_OFF } from '../fixtures/gatesOff.ts';
import { type FunnelRow, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { collect, collectAll, namesOf, pointerFile, unreached } from './garbageUnderTest.ts';
import {
  expectRows,
  first,
  freshPlace,
  PARTITION,
  type Place,
  publish,
  put,
  replacing,
  run,
  second,
} from './partitionUnderTest.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let bundle: ModelBundle;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);
afterEach(() => {
  vi.restoreAllMocks();
});

/** A published partition whose next input, of fewer rows, a gate has blocked. */
async function blocked(base: string) {
  const place = freshPlace(base);
  await put(place, 'a.parquet', first);
  await run(place, bundle);
  await put(place, 'a.parquet', second);
  const gates = { ...GATES_OFF, rows: { ...DEFAULT_GATES.rows } };
  expect(await run(place, bundle, { gates })).toMatchObject({ outcome: { kind: 'refused', blocked: {} } });
  return place;
}

describe.each([
  ['local disk', join(folder, 'published')],
  ['S3', `s3://${s3.bucket}/published`],
])('garbage on %s', (_, base) => {
  it('is condemned first, and deleted by a call a day later with its mark', async () => {
    const place = await unreached(base, bundle);
    expect(await collect(place.root, 2)).toMatchObject({ files: [], condemnedParts: 0 });
    const before = await storageFor(place.root).list(place.root);
    expect((await collect(place.root, 4, false)).condemnedParts).toBe(2);
    expect(await storageFor(place.root).list(place.root)).toEqual(before);
    expect(await collect(place.root, 4)).toMatchObject({ condemnedParts: 2 });
    expect(await namesOf(place.root, 'parts')).toHaveLength(2);
    // Marks are as young as this test: for a call today they wait.
    expect(await collect(place.root, 0)).toMatchObject({ files: [], condemnedParts: 2 });
    const { files, condemnedParts } = await collect(place.root, 4);
    expect(condemnedParts).toBe(0);
    expect(files.map(({ uri }) => uri.slice(place.root.length).split('/')[1]).sort()).toEqual([
      ...['keys', 'keys', 'parts', 'parts', 'receipts', 'receipts'],
    ]);
    expect(await namesOf(place.root, 'parts')).toEqual([]);
    expect(await namesOf(place.root, 'keys')).toEqual([]);
    expect(await collect(place.root, 4)).toMatchObject({ files: [], condemnedParts: 0 });
    // Nothing was published: it is scored anew, to the same state.
    expect(await run(place, bundle)).toMatchObject({ partsScored: 2, outcome: { kind: 'published' } });
    await expectRows(place, bundle, second);
  });

  it('is no garbage any more once a run has taken it up', async () => {
    const place = await unreached(base, bundle);
    await collect(place.root, 4);
    expect(await publish(place, bundle)).toMatchObject({ kind: 'incomplete', missing: [{}, {}] });
    expect(await run(place, bundle)).toMatchObject({ outcome: { kind: 'published' }, partsDoneBefore: 0 });
    expect(await collect(place.root, 9)).toMatchObject({ files: [], condemnedParts: 0 });
    await expectRows(place, bundle, second);
  });

  it('is a part without a receipt too, which a killed run has left', async () => {
    const place = await unreached(base, bundle);
    await storageFor(place.root).removeFolder(joinUri(place.root, 'receipts'));
    expect(await collect(place.root, 4)).toMatchObject({ condemnedParts: 2 });
    await collect(place.root, 4);
    expect(await namesOf(place.root, 'parts')).toEqual([]);
  });

  it('takes its dead letters with it, and none of a part that is reached', async () => {
    const place = freshPlace(base);
    const bad = second.map((row, at) => ({ ...row, request: at === 3 ? null : row.request }) as FunnelRow);
    const request = [
      { name: 'request', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ];
    await writeWhole(
      joinUri(place.inputUri, 'a.parquet'),
      funnelShard(bad, 60, { request } as Parameters<typeof funnelShard>[2]),
    );
    const leavingOut = { badRows: { deadLetter: { maxRows: 1, maxShare: 1 } } };
    await run(place, bundle, leavingOut);
    await collect(place.root, 4);
    await collect(place.root, 4);
    const letters = await namesOf(place.root, 'dead-letters');
    expect(letters).toHaveLength(1);
    await storageFor(place.root).removeFolder(joinUri(place.root, 'pointers'));
    await collect(place.root, 4);
    expect(await namesOf(place.root, 'dead-letters')).toEqual(letters);
    await collect(place.root, 4);
    expect(await namesOf(place.root, 'dead-letters')).toEqual([]);
    expect(await namesOf(place.root, 'parts')).toEqual([]);
    // A run makes both anew.
    expect(await run(place, bundle, leavingOut)).toMatchObject({ outcome: { deadLetters: { rows: 1 } } });
    expect(await namesOf(place.root, 'dead-letters')).toEqual(letters);
  });

  it('is a file of fingerprints whose part is gone, and none whose part is there', async () => {
    const place = await unreached(base, bundle);
    await run(place, bundle);
    const stray = joinUri(place.root, 'keys', PARTITION, `${'0'.repeat(64)}.bin`);
    await writeWhole(stray, Buffer.alloc(8));
    expect(await collect(place.root, 2)).toMatchObject({ files: [] });
    expect(await collect(place.root, 4)).toMatchObject({ files: [{ uri: stray }], sizeBytes: 8 });
    expect(await namesOf(place.root, 'keys')).toEqual(
      (await namesOf(place.root, 'parts')).map((name) => name.replace('.arrow', '.bin')),
    );
  });

  it('is the marker of an event of an earlier generation, and an audit document that no state names', async () => {
    const place = freshPlace(base);
    for (const rows of [first, second]) {
      await put(place, 'a.parquet', rows);
      await run(place, bundle);
      const { pointer } = await readPointer(place.root, PARTITION);
      await announce(place.root, pointer!, { send: async () => undefined });
    }
    const stray = joinUri(place.root, 'audits', PARTITION, `${'0'.repeat(64)}.json`);
    await writeWhole(stray, Buffer.from('{}'));
    const { files } = await collect(place.root, 4);
    const gone = files.map(({ uri }) => uri.slice(place.root.length + 1)).sort();
    expect(gone).toEqual([`announced/${PARTITION}/1.json`, `audits/${PARTITION}/${'0'.repeat(64)}.json`]);
    expect(await namesOf(place.root, 'audits')).toHaveLength(2);
    expect(await namesOf(place.root, 'announced')).toEqual([`${PARTITION}/2.json`]);
  });

  it('is nothing of what a gate has blocked, so that it can be released', async () => {
    const place = await blocked(base);
    await collectAll(place.root, 4);
    const before = await storageFor(place.root).list(place.root);
    for (const _ of ['condemn', 'delete']) {
      expect(await collect(place.root, 4)).toMatchObject({ files: [], condemnedParts: 0 });
    }
    expect(await storageFor(place.root).list(place.root)).toEqual(before);
    const word = { reason: 'known', by: 'ada', at: '2024-03-09T08:00:00.000Z' };
    expect(await releasePartition(place.root, PARTITION, word)).toMatchObject({ hasFlipped: true });
    await expectRows(place, bundle, second);
  });

  it.each<[string, (place: Place) => Promise<unknown>]>([
    ['cleared', (place) => put(place, 'a.parquet', first).then(() => run(place, bundle))],
    ['outdated', (place) => put(place, 'a.parquet', replacing).then(() => run(place, bundle))],
  ])(
    'is what a block names that is %s: parts, fingerprints, receipts and audit document',
    async (__, end) => {
      const place = await blocked(base);
      const { publication } = (await readBlocked(place.root, PARTITION)).blocked!;
      const { parts } = await readManifest(place.root, publication);
      await end(place);
      expect(await collect(place.root, 4)).toMatchObject({
        files: [{ uri: joinUri(place.root, ...publication.audit.split('/')) }],
        condemnedParts: parts.length,
      });
      const { files } = await collect(place.root, 4);
      const gone = new Set(files.map(({ uri }) => uri.slice(place.root.length + 1)));
      for (const { partId, path, sizeBytes } of parts) {
        expect(gone).toContain(path);
        expect(gone).toContain(`keys/${PARTITION}/${partId}.bin`);
        expect(gone).toContain(`receipts/${PARTITION}/${partId}-${sizeBytes}.json`);
      }
      expect(gone.size).toBe(3 * parts.length);
    },
  );
});

it('what probes of a store have left is garbage, their record is not', async () => {
  const place = freshPlace(`s3://${s3.bucket}/probed`);
  await put(place, 'a.parquet', second);
  await run(place, bundle);
  const probe = joinUri(place.root, '.probe');
  const names = async () => (await storageFor(probe).list(probe)).map(({ relativePath }) => relativePath);
  expect(await names()).toHaveLength(2);
  expect((await collectAll(place.root, 2)).files).toEqual([]);
  expect((await collectAll(place.root, 4)).files).toHaveLength(1);
  expect(await names()).toEqual(['conditions.json']);
});

describe('temporary files of killed writers', () => {
  it('are found by age, in hidden folders too; those of writers at work and other hidden files stay', async () => {
    const place = freshPlace(join(folder, 'temporary'));
    await put(place, 'a.parquet', replacing);
    await run(place, bundle);
    const stay = filesBelow(place.root);
    const left = [
      `parts/${PARTITION}/.x.arrow.0b3.tmp`,
      `pointers/.${PARTITION}.json.lock`,
      '.probe/.c.json.1.tmp',
    ];
    for (const name of [...left, `parts/${PARTITION}/.keep`]) {
      mkdirSync(join(place.root, name, '..'), { recursive: true });
      writeFileSync(join(place.root, name), 'left');
    }
    expect((await collect(place.root, 1)).files).toEqual([]);
    const { files, sizeBytes } = await collect(place.root, 4);
    expect(files.map(({ relativePath }) => relativePath).sort()).toEqual([...left].sort());
    expect(sizeBytes).toBe(12);
    expect(filesBelow(place.root).sort()).toEqual([...stay, `parts/${PARTITION}/.keep`].sort());
    expect(statSync(pointerFile(place)).isFile()).toBe(true);
    expect((await resolvePartition(place.root, PARTITION)).manifest.rows).toBe(replacing.length);
  });
});

it('there is no garbage below a root that does not exist, and that is said', async () => {
  await expect(collect(join(folder, 'mistyped'), 4)).rejects.toMatchObject({ code: 'PUBLISH_NO_ROOT' });
});
