import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { below } from '../../lib/publish/outputLayout.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import {
  expectedBits,
  expectRows,
  first,
  freshPlace,
  PARTITION,
  publish,
  put,
  read,
  replacing,
  run,
  second,
} from './partitionUnderTest.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let model1: ModelBundle;
let model2: ModelBundle;

beforeAll(async () => {
  ({ bundle: model1 } = await trainTinyModel(join(folder, 'model-1')));
  ({ bundle: model2 } = await trainTinyModel(join(folder, 'model-2'), {
    config: { modelVersion: 'tiny-2', training: { seed: 7 } },
  }));
}, 60_000);

describe.each([
  ['local disk', join(folder, 'published')],
  ['S3', `s3://${s3.bucket}/published`],
])('publishing on %s', (_, base) => {
  it('makes all rows of a partition visible at once, with the bits that `score` gives', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await put(place, 'b.parquet', second);
    await expect(read(place)).rejects.toMatchObject({ code: 'PUBLISH_NOTHING' });
    const { outcome, partsScored, partsDoneBefore } = await run(place, model1);
    expect(outcome).toMatchObject({ kind: 'published', pointer: { generation: 1, hold: null, history: [] } });
    // Six row groups of 60 and one of 40 make spans of two; the second shard has two row groups of 60 and one of 30.
    expect({ partsScored, partsDoneBefore }).toEqual({ partsScored: 6, partsDoneBefore: 0 });
    await expectRows(place, model1, first, second);
    const { manifest } = await resolvePartition(place.root, PARTITION);
    expect(
      manifest.parts.map(({ spans: [span], rows }) => [
        span!.shard,
        span!.firstRowGroup,
        span!.endRowGroup,
        rows,
      ]),
    ).toEqual([
      ['a.parquet', 0, 2, 120],
      ['a.parquet', 2, 4, 120],
      ['a.parquet', 4, 6, 120],
      ['a.parquet', 6, 7, 40],
      ['b.parquet', 0, 2, 120],
      ['b.parquet', 2, 3, 30],
    ]);
    for (const { spans, sha256, sizeBytes, statistics } of manifest.parts) {
      const uri = joinUri(place.inputUri, spans[0]!.shard);
      expect(spans).toMatchObject([(await storageFor(uri).stat(uri))!]);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(sizeBytes).toBeGreaterThan(0);
      expect(statistics.pctr.min).toBeLessThan(statistics.pctr.mean!);
      expect(statistics.pctr.mean).toBeLessThan(statistics.pctr.max!);
    }
  });

  it('does nothing twice: a second run finds everything done and changes no object', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await run(place, model1);
    const before = await storageFor(place.root).list(place.root);
    const again = await run(place, model1);
    expect(again).toMatchObject({ partsScored: 0, partsDoneBefore: 4, outcome: { kind: 'unchanged' } });
    expect(await storageFor(place.root).list(place.root)).toEqual(before);
  });

  it('follows a replaced, an added and a removed shard, and scores only what is new', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await put(place, 'b.parquet', second);
    await run(place, model1);
    await put(place, 'a.parquet', replacing);
    await expectRows(place, model1, first, second);
    expect(await run(place, model1)).toMatchObject({ partsScored: 3, partsDoneBefore: 2 });
    await expectRows(place, model1, replacing, second);
    await storageFor(place.inputUri).remove(joinUri(place.inputUri, 'b.parquet'));
    expect(await run(place, model1)).toMatchObject({
      partsScored: 0,
      outcome: { pointer: { generation: 3 } },
    });
    await expectRows(place, model1, replacing);
  });

  it('publishes nothing while a part is missing, and says which', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place, model1);
    await put(place, 'b.parquet', first);
    const outcome = await publish(place, model1);
    expect(outcome.kind).toBe('incomplete');
    expect(outcome).toMatchObject({
      missing: [{ spans: [{ firstRowGroup: 0 }] }, {}, {}, { spans: [{ endRowGroup: 7 }], rows: 40 }],
    });
    await expectRows(place, model1, second);
  });

  it('a deleted part is scored again before anything is published with it', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place, model1);
    const { manifest } = await resolvePartition(place.root, PARTITION);
    await storageFor(place.root).remove(below(place.root, manifest.parts[0]!.path));
    expect(await publish(place, model1)).toMatchObject({
      kind: 'incomplete',
      missing: [{ spans: [{ firstRowGroup: 0 }] }],
    });
    expect(await run(place, model1)).toMatchObject({ partsScored: 1, outcome: { kind: 'unchanged' } });
    await expectRows(place, model1, second);
  });

  it('refuses what a check of the input refuses, and leaves the former state visible', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place, model1);
    await put(place, 'a.parquet', replacing);
    await run(place, model2);
    const outcome = await publish(place, model1, {}, { inputChecks: [() => ['a row too few']] });
    expect(outcome.kind).toBe('incomplete');
    const refused = await publish(place, model2, {}, { inputChecks: [() => ['a row too few']] });
    expect(refused).toEqual({ kind: 'refused', problems: ['a row too few'], verdicts: [] });
    await expectRows(place, model2, replacing);
  });

  it('rolls back by one flip, holds the partition against later runs, and goes on when the hold is lifted', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await run(place, model1);
    expect(await run(place, model2)).toMatchObject({ outcome: { kind: 'published' } });
    await expectRows(place, model2, first);
    const parts = (await storageFor(place.root).list(joinUri(place.root, 'parts'))).length;
    const { pointer } = await rollBack(place.root, PARTITION, 'pCTR drifted');
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
    await run(place, model1);
    await run(place, model2);
    expect(await publish(place, model1, { basedOnGeneration: 1 })).toMatchObject({ kind: 'superseded' });
    await expectRows(place, model2, second);
    // A late run of the model that is visible may publish: it publishes what is there now.
    await put(place, 'b.parquet', replacing);
    await run(place, model2);
    expect(await publish(place, model2, { basedOnGeneration: 1 })).toMatchObject({ kind: 'unchanged' });
  });

  it('a run that may lift a hold lifts none that came after it was planned, though the model is the same', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place, model1);
    await put(place, 'b.parquet', replacing);
    await run(place, model1);
    await rollBack(place.root, PARTITION, 'b is not ours');
    expect(await publish(place, model1, { basedOnGeneration: 2, liftHold: true })).toEqual({
      kind: 'superseded',
      reason: 'the partition was rolled back after this run was planned: b is not ours',
    });
    await expectRows(place, model1, second);
    const lifted = await publish(place, model1, { basedOnGeneration: 3, liftHold: true });
    expect(lifted).toMatchObject({ kind: 'published', pointer: { hold: null } });
    await expectRows(place, model1, second, replacing);
  });

  it('ends alike when six run at a time: one set of parts, one manifest, one generation', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    const runs = await Promise.all(Array.from({ length: 6 }, () => run(place, model1, { workers: 1 })));
    expect(runs.filter(({ outcome }) => outcome.kind === 'published')).toHaveLength(1);
    expect(runs.filter(({ outcome }) => outcome.kind === 'unchanged')).toHaveLength(5);
    const files = await storageFor(place.root).list(place.root);
    expect(files.map(({ relativePath }) => relativePath.split('/')[0]).sort()).toEqual(
      [
        'audits',
        ...Array(4).fill('keys'),
        'manifests',
        ...Array(4).fill('parts'),
        'pointers',
        ...Array(4).fill('receipts'),
        'shapes',
      ].sort(),
    );
    expect((await read(place)).generation).toBe(1);
    await expectRows(place, model1, first);
  }, 30_000);

  it('publishes beside a damaged manifest all the same: what it held is in the receipts', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', first);
    await run(place, model1);
    const { pointer } = await resolvePartition(place.root, PARTITION);
    await writeWhole(below(place.root, pointer.current.manifest), Buffer.from('{}'));
    await put(place, 'b.parquet', second);
    expect((await run(place, model1)).outcome.kind).toBe('published');
    await expectRows(place, model1, first, second);
  });

  it('tells a damaged manifest from a whole one', async () => {
    const place = freshPlace(base);
    await put(place, 'a.parquet', second);
    await run(place, model1);
    const { pointer } = await resolvePartition(place.root, PARTITION);
    const uri = below(place.root, pointer.current.manifest);
    const { bytes } = (await storageFor(uri).readVersioned(uri))!;
    await writeWhole(
      uri,
      bytes.map((byte, i) => (i === 300 ? byte ^ 1 : byte)),
    );
    await expect(read(place)).rejects.toMatchObject({ code: 'PUBLISH_MANIFEST_DAMAGED' });
  });

  it('a reader sees whole states only, while shards are replaced and runs race', async () => {
    const place = freshPlace(base);
    const contents = [first, replacing, second];
    await put(place, 'a.parquet', contents[0]!);
    await run(place, model1);
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
      await Promise.all([run(place, model1), run(place, model1)]);
    }
    isDone = true;
    await reader;
    await expectRows(place, model1, second);
    expect(seen.size).toBeGreaterThan(1);
  }, 30_000);
});

describe('a publisher that others have overtaken', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('looks at everything anew after more than six hours: parts may be gone that it has seen', async () => {
    const place = freshPlace(join(folder, 'overtaken'));
    await put(place, 'a.parquet', second);
    await run(place, model1);
    await put(place, 'b.parquet', replacing);
    await run(place, model1);
    await rollBack(place.root, PARTITION, 'b is not ours');
    let looks = 0;
    const suspendedFor = (hours: number) => () => {
      const nowMillis = Date.now();
      if (looks++ > 0) return [];
      vi.spyOn(Date, 'now').mockReturnValue(nowMillis + hours * 3_600_000);
      rmSync(join(place.root, 'parts'), { recursive: true });
      return [];
    };
    const outcome = await publish(place, model1, { liftHold: true }, { inputChecks: [suspendedFor(6.1)] });
    expect({ looks, kind: outcome.kind }).toEqual({ looks: 1, kind: 'incomplete' });
  });

  it('names an audit document that is there, though a collector took it before the flip could be seen', async () => {
    const place = freshPlace(join(folder, 'overtaken'));
    await put(place, 'a.parquet', second);
    await run(place, model1);
    await put(place, 'a.parquet', replacing);
    const { replaceIfVersion } = localDisk;
    vi.spyOn(localDisk, 'replaceIfVersion').mockImplementation((uri, ...given) => {
      if (uri.includes('/pointers/')) rmSync(join(place.root, 'audits'), { recursive: true });
      return replaceIfVersion.call(localDisk, uri, ...given);
    });
    const { outcome } = await run(place, model1);
    expect(outcome).toMatchObject({ kind: 'published', pointer: { generation: 2 } });
    const { pointer } = await resolvePartition(place.root, PARTITION);
    expect((await readAudit(place.root, pointer.current.audit)).partition).toBe(PARTITION);
  });
});

it('leaves no temporary file on disk', async () => {
  const place = freshPlace(join(folder, 'published'));
  await put(place, 'a.parquet', second);
  await run(place, model1);
  await run(place, model2);
  expect(filesBelow(place.root).filter((name) => name.includes('.tmp') || name.includes('.lock'))).toEqual(
    [],
  );
});
