import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import {
  type ExplainOptions,
  type Explanation,
  explainRow,
  type RescoredRow,
} from '../../lib/explain/explainRow.ts';
import { explanationText } from '../../lib/explain/explanationText.ts';
import { findScoredRow } from '../../lib/explain/findScoredRow.ts';
import { findShardRow } from '../../lib/explain/findShardRow.ts';
import { type FoundState, findState } from '../../lib/publish/findState.ts';
import { writeManifest } from '../../lib/publish/manifest.ts';
import { below } from '../../lib/publish/outputLayout.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import {
  expectedBits,
  first,
  freshPlace,
  PARTITION,
  type Place,
  put,
  run,
  second,
} from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let model: ModelBundle;
let other: ModelBundle;

const PLAIN: ExplainOptions = { why: false };
const current = ({ root }: Place) => findState(root, PARTITION, 'current');
const keyOf = ({ impression_id, request }: FunnelRow) => ({ impression_id: String(impression_id), request });
async function explain(place: Place, row: FunnelRow, options = PLAIN): Promise<Explanation> {
  return explainRow(await current(place), keyOf(row), options);
}
const bitsOf = (scores: object) =>
  [...new Uint32Array(Float32Array.from(Object.values(scores) as number[]).buffer)]
    .map((bits) => bits.toString(16))
    .join(' ');
function rescored({ source }: Explanation): RescoredRow {
  if ('gone' in source) throw new Error(source.gone);
  return source;
}
const findKey = async (state: FoundState, row: FunnelRow) => (await findScoredRow(state, keyOf(row))).found;
const inputOf = (explanation: Explanation, feature: string) =>
  rescored(explanation).inputs.find((input) => input.feature === feature)!;

/** Two shards, seven parts of one span each and of several row groups. */
async function published(base = join(folder, 'explained')): Promise<Place> {
  const place = freshPlace(base);
  await put(place, 'a.parquet', first);
  await put(place, 'b.parquet', second);
  await run(place, model);
  return place;
}
let place: Place;

beforeAll(async () => {
  ({ bundle: model } = await trainTinyModel(join(folder, 'model-1')));
  ({ bundle: other } = await trainTinyModel(join(folder, 'model-2'), {
    config: { modelVersion: 'tiny-2', training: { seed: 7 } },
  }));
  place = await published();
}, 60_000);

describe('an explained row', () => {
  it('is followed to its part, shard and row group, on disk and in S3, and scored again to the same bits', async () => {
    const places = [place, await published(`s3://${s3.bucket}/explained`)];
    const bits = new Map([...(await expectedBits(model, first)), ...(await expectedBits(model, second))]);
    // The first and the last row of a row group, of a part and of a shard.
    const rows = [
      ...[0, 59, 60, 119, 120, 399].map((row) => ['a.parquet', first[row]!, row] as const),
      ...[0, 149].map((row) => ['b.parquet', second[row]!, row] as const),
    ];
    for (const { inputUri, root, ...where } of places) {
      for (const [shard, row, index] of rows) {
        const found = await explain({ inputUri, root, ...where }, row);
        expect(found.keys).toEqual(keyOf(row));
        expect(found.matches).toBe(1);
        expect(bitsOf(found.scores)).toBe(bits.get(row.impression_id));
        expect(found.source).toMatchObject({
          isSame: true,
          scores: found.scores,
          shard: { uri: joinUri(inputUri, shard), rowGroup: Math.floor(index / 60), row: index % 60 },
        });
        expect(found.part.row, shard).toBe(index % 120);
        expect(found.publication).toMatchObject({
          partition: PARTITION,
          isCurrent: true,
          generation: 1,
          modelUri: model.uri,
          audit: { inputUri },
        });
      }
    }
  });

  it('has its values raw and encoded, and says which are missing or were never seen', async () => {
    const unseen: FunnelRow = {
      ...first[0]!,
      impression_id: 1n,
      item_id: 5n,
      user_id: 99n,
      device: '-1',
      tags: ['film', 'x', null],
    };
    const empty: FunnelRow = {
      ...first[1]!,
      impression_id: 2n,
      user_id: null,
      age: null,
      price: null,
      tags: null,
    };
    const fresh = freshPlace(join(folder, 'values'));
    await put(fresh, 'a.parquet', [unseen, empty]);
    await run(fresh, model);
    const [seen, bare] = [await explain(fresh, unseen), await explain(fresh, empty)];
    expect(inputOf(seen, 'item_id')).toMatchObject({
      raw: '5',
      isMissing: false,
      unseen: 1,
      encoded: { id: 0 },
    });
    expect(inputOf(seen, 'user_id')).toMatchObject({ raw: '99', unseen: 1, encoded: { kind: 'id', id: 0 } });
    // Listed in the contract as a missing value.
    expect(inputOf(seen, 'device')).toMatchObject({
      raw: '-1',
      isMissing: true,
      unseen: 0,
      encoded: { id: 0 },
    });
    const tags = inputOf(seen, 'tags');
    expect(tags).toMatchObject({
      raw: '[film, x, null]',
      isMissing: false,
      unseen: 1,
      encoded: { kind: 'ids' },
    });
    expect((tags.encoded as { ids: readonly number[] }).ids).toHaveLength(1);
    const price = inputOf(seen, 'log_price');
    expect(price).toMatchObject({
      raw: String(Math.fround(unseen.price!)),
      column: 'price',
      kind: 'numeric',
    });
    expect(inputOf(seen, 'hour')).toMatchObject({ raw: String(unseen.hour), isMissing: false, unseen: 0 });
    expect((inputOf(seen, 'hour').encoded as { id: number }).id).toBeGreaterThan(0);
    for (const feature of ['user_id', 'age', 'price', 'log_price', 'tags']) {
      expect(inputOf(bare, feature), feature).toMatchObject({ raw: null, isMissing: true, isInShard: true });
    }
    expect(inputOf(bare, 'log_price').encoded).toEqual({ kind: 'number', value: 0 });
    const text = explanationText(seen);
    expect(text).toMatch(/^device +categorical +device +-1 +0 +missing$/m);
    expect(text).toMatch(/^item_id +categorical +item_id +5 +0 +unseen in training$/m);
    expect(text).toMatch(/^tags +list +tags +\[film, x, null\] +\[\d+\] +1 unseen in training$/m);
    expect(text).toMatch(/^scored again +the same bits$/m);
  });

  it('is scored with each feature missing as a shard without that value is, the largest change first', async () => {
    const row = first.find(({ user_id, device, tags, age, price }) => {
      return (
        user_id !== null && device === 'phone' && (tags?.length ?? 0) > 0 && age !== null && price !== null
      );
    })!;
    const found = rescored(await explain(place, row, { why: true }));
    const { why } = found;
    expect(why!.map(({ feature }) => feature).sort()).toEqual(
      found.inputs.map(({ feature }) => feature).sort(),
    );
    const sizes = why!.map(({ pctr, pcvr }) => Math.max(Math.abs(pctr.change), Math.abs(pcvr.change)));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes[0]).toBeGreaterThan(0.01);
    // Features with a column of their own that may be null.
    const nullable = ['user_id', 'device', 'tags', 'age'] as const;
    const without = nullable.map((name, index) => ({ ...row, impression_id: BigInt(index), [name]: null }));
    const ablated = freshPlace(join(folder, 'ablated'));
    await put(ablated, 'a.parquet', without);
    await run(ablated, model);
    for (const [index, name] of nullable.entries()) {
      const { scores } = await explain(ablated, without[index]!);
      const { pctr, pcvr } = why!.find(({ feature }) => feature === name)!;
      expect(pctr).toEqual({ whenMissing: scores.pctr, change: scores.pctr - found.scores.pctr });
      expect(pcvr).toEqual({ whenMissing: scores.pcvr, change: scores.pcvr - found.scores.pcvr });
    }
  });

  it('says so when its shard has been replaced or is gone, and is told of nevertheless', async () => {
    const gone = await published();
    await put(gone, 'a.parquet', second);
    await storageFor(gone.inputUri).remove(joinUri(gone.inputUri, 'b.parquet'));
    for (const [row, code] of [
      [first[7]!, 'STORAGE_FILE_CHANGED'],
      [second[7]!, 'STORAGE_NOT_FOUND'],
    ] as const) {
      const found = await explain(gone, row, { why: true });
      expect(found).toMatchObject({ keys: keyOf(row), source: { gone: expect.stringContaining(code) } });
      expect(explanationText(found)).toMatch(new RegExp(`^scored again +not possible: ${code}`, 'm'));
    }
    // In place again, but written at another time: not the version that was scored.
    await put(gone, 'b.parquet', second);
    utimesSync(joinUri(gone.inputUri, 'b.parquet'), 1_700_000_000, 1_700_000_000);
    expect((await explain(gone, second[7]!)).source).toMatchObject({
      gone: expect.stringContaining('STORAGE_FILE_CHANGED'),
    });
  });

  it('has other bits than were published when a part was changed', async () => {
    const changed = await published();
    const state = await current(changed);
    const row = first[5]!;
    const { scores } = await explain(changed, row);
    const uri = below(changed.root, state.manifest.parts[0]!.path);
    const bytes = Buffer.from(await storageFor(uri).readWhole(uri));
    const at = bytes.indexOf(Buffer.from(Float32Array.of(scores.pctr).buffer));
    bytes[at]! ^= 1;
    await writeWhole(uri, bytes);
    const found = await explain(changed, row);
    expect(found.source).toMatchObject({ isSame: false, scores });
    expect(explanationText(found)).toContain(`OTHER SCORES: pctr ${scores.pctr}`);
  });

  it('is found in its shard where other rows were left out, so that it no longer stands at its place', async () => {
    const { manifest } = await current(place);
    const part = manifest.parts[0]!;
    const key = await findKey(await current(place), first[100]!);
    for (const row of [0, 59, 60, 110]) {
      const found = await findShardRow(part, place.inputUri, { ...key, row }, () => ['impression_id']);
      expect(found, String(row)).toMatchObject({ place: { rowGroup: 1, row: 40 } });
    }
    const elsewhere = await findKey(await current(place), second[0]!);
    expect(await findShardRow(part, place.inputUri, elsewhere, () => ['impression_id'])).toMatchObject({
      gone: expect.stringMatching(/none of the 120 rows/),
    });
  });

  it("is explained beside rows that were left out, since their values can't be decoded", async () => {
    const damaged = freshPlace(join(folder, 'damaged'));
    const [mark, invalid] = ['mark of text', Buffer.from('706\xffof t', 'latin1')];
    const rows = first.slice(0, 150).map((row, index) => ({
      ...row,
      ...(index === 3 ? { device: mark } : {}),
      ...(index === 70 ? { request: mark } : {}),
    }));
    const bytes = Buffer.from(funnelShard(rows, 60));
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) invalid.copy(bytes, at);
    await writeWhole(joinUri(damaged.inputUri, 'a.parquet'), bytes);
    const badRows = { deadLetter: { maxRows: 5, maxShare: 1 } };
    await run(damaged, model, { badRows, targetRows: 1_000 });
    // In the same row groups, and in the next one, at another place than they have in the part.
    for (const index of [0, 4, 59, 69, 71, 149]) {
      expect((await explain(damaged, rows[index]!)).source, String(index)).toMatchObject({
        isSame: true,
        shard: { rowGroup: Math.floor(index / 60), row: index % 60 },
      });
    }
    await expect(explain(damaged, rows[70]!)).rejects.toMatchObject({ code: 'EXPLAIN_NO_ROW' });
  });

  it('is the one that was scored of two with the same keys, where the other was left out for the text of a feature', async () => {
    const invalid = Buffer.from('706\xffof t', 'latin1');
    for (const [leftOut, kept] of [
      [3, 4],
      [3, 65],
    ] as const) {
      const half = freshPlace(join(folder, `half-${kept}`));
      const rows = first.slice(0, 130);
      const { impression_id, request } = rows[kept]!;
      rows[leftOut] = { ...rows[leftOut]!, impression_id, request, device: 'mark of text' };
      const bytes = Buffer.from(funnelShard(rows, 60));
      for (let at = bytes.indexOf('mark of text'); at >= 0; at = bytes.indexOf('mark of text', at + 1))
        invalid.copy(bytes, at);
      await writeWhole(joinUri(half.inputUri, 'a.parquet'), bytes);
      await run(half, model, { badRows: { deadLetter: { maxRows: 5, maxShare: 1 } }, targetRows: 1_000 });
      expect(await explain(half, rows[kept]!), String(kept)).toMatchObject({
        matches: 1,
        source: { isSame: true, shard: { rowGroup: Math.floor(kept / 60), row: kept % 60 } },
      });
    }
  });

  it('is the first of those whose keys repeat, each at its own place', async () => {
    const twice = freshPlace(join(folder, 'twice'));
    const repeated = [...first.slice(0, 70), { ...first[3]!, hour: 23 }];
    await put(twice, 'a.parquet', repeated);
    await run(twice, model);
    const found = await explain(twice, first[3]!);
    expect(found).toMatchObject({ matches: 2, part: { row: 3 }, source: { isSame: true } });
    expect(explanationText(found)).toContain('2 rows have the keys asked for; this is the first one');
    const key = await findKey(await current(twice), first[3]!);
    const { parts } = (await current(twice)).manifest;
    const last = await findShardRow(parts[0]!, twice.inputUri, { ...key, row: 70 }, () => ['hour']);
    expect(last).toMatchObject({ place: { rowGroup: 1, row: 10 } });
  });

  it('can be one of an earlier state, with the model that scored it', async () => {
    const later = await published();
    await run(later, other);
    const before = await findState(later.root, PARTITION, 'before');
    const found = await explainRow(before, keyOf(first[9]!), PLAIN);
    expect(found).toMatchObject({
      publication: { isCurrent: false, generation: 2, model: { version: 'tiny-1' } },
      source: { isSame: true },
    });
    await expect(
      explainRow(before, keyOf(first[9]!), { ...PLAIN, modelUri: other.uri }),
    ).rejects.toMatchObject({
      code: 'PLAN_OTHER_MODEL',
    });
  });

  it('is refused by name when there is no such row, key or value, or no pointer that names the state', async () => {
    const state = await current(place);
    const refused = (wanted: Readonly<Record<string, string>>) => explainRow(state, wanted, PLAIN);
    await expect(refused({ impression_id: '7' })).rejects.toMatchObject({
      code: 'EXPLAIN_NO_ROW',
      expected: 'impression_id = 7',
      // With all keys of a row that there is, as they are to be written.
      found: expect.stringMatching(/^\d+ other rows, such as impression_id = \d+, request = \S+$/),
    });
    await expect(refused({ impression_id: '1.5' })).rejects.toMatchObject({
      code: 'EXPLAIN_KEY_INVALID',
      location: { column: 'impression_id' },
    });
    await expect(refused({ user_id: '1' })).rejects.toMatchObject({
      code: 'EXPLAIN_KEY_INVALID',
      expected: 'one of the row keys impression_id, request',
    });
    const unnamed = await writeManifest(place.root, { ...state.manifest, runId: 'never published' });
    const unpublished = await findState(place.root, PARTITION, { manifest: unnamed.sha256 });
    await expect(explainRow(unpublished, keyOf(first[0]!), PLAIN)).rejects.toMatchObject({
      code: 'EXPLAIN_UNPUBLISHED',
    });
  });
});
