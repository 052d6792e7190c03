import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { cutPartition } from '../../lib/publish/cutPartition.ts';
import type { Part } from '../../lib/publish/part.ts';
import type { PartitionRun } from '../../lib/publish/partitionRun.ts';
import { publishPartition } from '../../lib/publish/publishPartition.ts';
import type { Receipt } from '../../lib/publish/receipt.ts';
import { type ScoredUnit, scoreUnit } from '../../lib/publish/scoreUnit.ts';
import { spansOf, type WorkUnit, workUnits } from '../../lib/publish/workUnit.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { type Place, runOf } from './partitionUnderTest.ts';
import { partsOf } from './planOf.ts';

const folder = temporaryFolder();
let bundle: ModelBundle;
let pool: WorkerPool;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model'), { config: { slices: ['device', 'price'] } }));
  pool = scoringPool(bundle, 1);
}, 60_000);
afterAll(() => pool.close());

const NO_HURRY = { remainingMillis: () => 900_000, reserveMillis: 0 };
let count = 0;
/** A partition with one shard. */
function freshPlace({ rows = 400, rowGroupRows = 50 } = {}): Place {
  const base = join(folder, `case-${count++}`);
  mkdirSync(join(base, 'input'), { recursive: true });
  const place = { inputUri: join(base, 'input'), root: join(base, 'scores') };
  writeFileSync(join(place.inputUri, 'a.parquet'), funnelShard(funnelRows('2024-03-09', rows), rowGroupRows));
  return place;
}
const partsIn = async (run: PartitionRun) => (await cutPartition(run))!.parts;

describe('work units', () => {
  const place = { inputUri: 's3://b', root: join(folder, 'units') };
  const rowsOf = async (rowCounts: readonly number[]) =>
    (await workUnits(runOf(place, bundle), partsOf(rowCounts))).map(({ parts }) =>
      parts.map(({ rows }) => rows),
    );

  it('put small parts together up to the target, and leave large ones alone', async () => {
    expect(await rowsOf([40, 50, 30, 250, 100, 1])).toEqual([[40, 50], [30], [250], [100], [1]]);
    expect(await rowsOf([])).toEqual([]);
  });

  it('fit an item of a map, however many spans a part has: those of a large one stand in a document', async () => {
    const spans = Array.from({ length: 6_000 }, (_, i) => ({
      ...partsOf([0])[0]!.spans[0]!,
      shard: `hour=07/part-${i}-0b2c5a6e-6d4c-4b47-a1a7-6f0e1f7a2b3c.c000.snappy.parquet`,
    }));
    const parts: Part[] = [{ partId: 'large', rows: 0, spans }, ...partsOf(Array(3_000).fill(0))];
    const units = await workUnits(runOf(place, bundle), parts);
    for (const unit of units) expect(encodeJson(unit).length).toBeLessThan(256_000);
    const found = await Promise.all(
      units.flatMap((unit) => unit.parts.map((part) => spansOf(unit.root, part))),
    );
    expect(found).toEqual(parts.map((part) => part.spans));
  });

  it('fit it, however long the names of the shards are: S3 takes a kilobyte for one', async () => {
    // 1,000 bytes in a document.
    const shard = (i: number) => `${'日本/'.repeat(142)}${String(i).padStart(6, '0')}`;
    const named = (count: number, from: number) =>
      Array.from({ length: count }, (_, i) => ({ ...partsOf([0])[0]!.spans[0]!, shard: shard(from + i) }));
    const parts: Part[] = [{ partId: 'long', rows: 0, spans: named(400, 0) }];
    for (let i = 0; i < 400; i++) parts.push({ partId: `part-${i}`, rows: 0, spans: named(1, 1_000 + i) });
    const units = await workUnits(runOf(place, bundle), parts);
    for (const unit of units) expect(encodeJson(unit).length).toBeLessThan(256_000);
    const found = await Promise.all(
      units.flatMap((unit) => unit.parts.map((part) => spansOf(unit.root, part))),
    );
    expect(found).toEqual(parts.map((part) => part.spans));
  });
});

describe('a worker', () => {
  it('stops before a part that would not be done in time, keeps what is finished, and hands on the rest', async () => {
    const run = { ...runOf(freshPlace(), bundle), targetRows: 50 };
    const parts = await partsIn(run);
    const [unit] = await workUnits({ ...run, targetRows: 1_000 }, parts);
    expect(unit!.parts).toEqual(parts);
    expect(parts).toHaveLength(8);
    // A clock that has time for three parts, then none: later workers are given one part each.
    let left = 3;
    const deadline = { remainingMillis: () => (left-- > 0 ? 60_000 : 100), reserveMillis: 1_000 };
    let scored: ScoredUnit = await scoreUnit(unit!, bundle, pool, deadline);
    expect(scored).toMatchObject({ partsScored: 3, partsDoneBefore: 0, rowsScored: 150 });
    expect(scored.rest!.parts).toEqual(parts.slice(3));
    expect(await publishPartition(run)).toMatchObject({ kind: 'incomplete', missing: parts.slice(3) });
    let workers = 1;
    for (; scored.rest !== undefined; workers++) {
      scored = await scoreUnit(scored.rest, bundle, pool, { remainingMillis: () => 0, reserveMillis: 0 });
      expect(scored.partsScored).toBe(1);
    }
    expect(workers).toBe(6);
    expect(await publishPartition(run)).toMatchObject({
      kind: 'published',
      pointer: { current: { rows: 400 } },
    });
    // Asked again, a worker finds everything done.
    const again = await scoreUnit(unit!, bundle, pool, NO_HURRY);
    expect(again).toEqual({
      partsScored: 0,
      partsDoneBefore: 8,
      partsDropped: 0,
      rowsScored: 0,
      rest: undefined,
    });
  });

  describe('with a part that takes longer than it has', () => {
    let place: Place;
    let unit: WorkUnit;
    let whole: string;
    let receipt: string;
    const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
    const outputOf = (root: string) => join(root, 'parts', unit.partition, `${unit.parts[0]!.partId}.arrow`);
    /** The only one, whatever its name. */
    const receiptOf = (root: string) => {
      const receipts = join(root, 'receipts', unit.partition);
      expect(readdirSync(receipts)).toHaveLength(1);
      return readFileSync(join(receipts, readdirSync(receipts)[0]!), 'utf8');
    };
    const expectWhole = (root: string) => {
      expect(digest(outputOf(root))).toBe(whole);
      expect(receiptOf(root)).toBe(receipt);
    };

    beforeAll(async () => {
      // Row groups so large that each is a request of its own.
      place = freshPlace({ rows: 66_000, rowGroupRows: 16_500 });
      const run = { ...runOf(place, bundle), targetRows: 1_000_000, countLabels: true };
      const units = await workUnits(run, await partsIn(run));
      expect(units.map(({ parts }) => parts.length)).toEqual([1]);
      unit = units[0]!;
      await scoreUnit(unit, bundle, pool, NO_HURRY);
      whole = digest(outputOf(place.root));
      receipt = receiptOf(place.root);
      const { profile } = JSON.parse(receipt) as Receipt;
      expect(profile).toMatchObject({ rows: 66_000, labels: { click: { rows: 66_000 } } });
      expect(profile.slices.map(({ name }) => name)).toEqual(['device', 'price']);
    });

    /** One row group per worker: there is never time for a second one. */
    const NO_TIME = { remainingMillis: () => 0, reserveMillis: 0 };

    it('goes on at the row group where it stopped, and ends with the bytes and the receipt of an undisturbed one', async () => {
      const root = join(folder, 'continued');
      let scored = await scoreUnit({ ...unit, root }, bundle, pool, NO_TIME);
      const rows = [scored.rowsScored];
      while (scored.rest !== undefined) {
        expect(scored).toMatchObject({ partsScored: 0 });
        // What a map hands on is JSON.
        const rest = JSON.parse(JSON.stringify(scored.rest)) as WorkUnit;
        scored = await scoreUnit(rest, bundle, pool, NO_TIME);
        rows.push(scored.rowsScored);
      }
      expect(rows.length).toBeGreaterThan(1);
      expect(rows.reduce((sum, each) => sum + each, 0)).toBe(66_000);
      expectWhole(root);
      // Their profiles have gone with them.
      expect(await storageFor(root).list(join(root, 'segments'))).toEqual([]);
    });

    it('may stop in it though it would be in time at the speed of a trained model, if the model is an own one', async () => {
      const { manifest } = bundle;
      const file = { file: 'slow.onnx', producer: '', opset: 20, sizeBytes: 1, sha256: '' };
      const own = { ...bundle, manifest: { ...manifest, network: { kind: 'own' as const, ...file } } };
      const timeOnce = () => {
        let asked = 0;
        return { remainingMillis: () => (asked++ === 0 ? 60_000 : 0), reserveMillis: 0 };
      };
      const trained = await scoreUnit({ ...unit, root: join(folder, 'fast') }, bundle, pool, timeOnce());
      expect(trained).toMatchObject({ partsScored: 1, rest: undefined });
      const root = join(folder, 'slow');
      let scored = await scoreUnit({ ...unit, root }, own, pool, timeOnce());
      expect(scored).toMatchObject({ partsScored: 0, rest: { progress: {} } });
      while (scored.rest !== undefined) scored = await scoreUnit(scored.rest, own, pool, NO_TIME);
      expectWhole(root);
    });

    it('is not harmed by two workers that stop at different places, or by one that goes on where a dead one was', async () => {
      const root = join(folder, 'twice');
      const asked = { ...unit, root };
      const first = await scoreUnit(asked, bundle, pool, NO_TIME);
      // The same unit again, as if the answer had been lost: its segment has another name.
      const second = await scoreUnit(asked, bundle, pool, NO_TIME);
      expect(second.rest!.progress!.segments).not.toEqual(first.rest!.progress!.segments);
      await scoreUnit(first.rest!, bundle, pool, NO_TIME);
      let scored = second;
      while (scored.rest !== undefined) scored = await scoreUnit(scored.rest, bundle, pool, NO_TIME);
      expectWhole(root);
    });

    it('begins anew when its segments are gone', async () => {
      const root = join(folder, 'gone');
      const { rest } = await scoreUnit({ ...unit, root }, bundle, pool, NO_TIME);
      rmSync(join(root, 'segments'), { recursive: true });
      await expect(scoreUnit(rest!, bundle, pool, NO_HURRY)).rejects.toMatchObject({
        code: 'STORAGE_NOT_FOUND',
      });
      await scoreUnit({ ...unit, root }, bundle, pool, NO_HURRY);
      expectWhole(root);
    });

    it('writes neither part nor receipt when the profile of a segment is gone or damaged', async () => {
      const root = join(folder, 'no profile');
      const { rest } = await scoreUnit({ ...unit, root }, bundle, pool, NO_TIME);
      const profile = join(root, rest!.progress!.segments[0]!.replace(/arrow$/, 'json'));
      writeFileSync(profile, readFileSync(profile, 'utf8').replace(/"rows": ?\d/, '"rows": -'));
      await expect(scoreUnit(rest!, bundle, pool, NO_HURRY)).rejects.toMatchObject({
        code: 'PUBLISH_DOCUMENT_INVALID',
      });
      rmSync(profile);
      await expect(scoreUnit(rest!, bundle, pool, NO_HURRY)).rejects.toMatchObject({
        code: 'STORAGE_NOT_FOUND',
      });
      for (const name of ['parts', 'receipts']) {
        await expect(storageFor(root).exists(join(root, name))).resolves.toBe(false);
      }
    });

    it('gets the receipt of its undisturbed self also where the part is there already, without one', async () => {
      const root = join(folder, 'part alone');
      await scoreUnit({ ...unit, root }, bundle, pool, NO_HURRY);
      rmSync(join(root, 'receipts'), { recursive: true });
      await scoreUnit({ ...unit, root }, bundle, pool, NO_HURRY);
      expectWhole(root);
    });
  });
});
