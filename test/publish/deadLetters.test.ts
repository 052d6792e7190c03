import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import type { BadRows } from '../../lib/job/badRows.ts';
import { cutPartition } from '../../lib/publish/cutPartition.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { publishPartition } from '../../lib/publish/publishPartition.ts';
import { scoreUnit } from '../../lib/publish/scoreUnit.ts';
import { workUnits } from '../../lib/publish/workUnit.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { callMain } from '../cli/callMain.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import {
  expectedBits,
  expectRows,
  freshPlace,
  PARTITION,
  type Place,
  put,
  read,
  run,
  runOf,
} from './partitionUnderTest.ts';

const folder = temporaryFolder();

let model: ModelBundle;
let pool: WorkerPool;
beforeAll(async () => {
  ({ bundle: model } = await trainTinyModel(join(folder, 'model')));
  pool = scoringPool(model, 2);
}, 60_000);
afterAll(() => pool.close());

const leavingOut = (budget: { maxShare?: number; maxRows?: number } = {}): { badRows: BadRows } => ({
  badRows: { deadLetter: { maxShare: 0.1, maxRows: 100, ...budget } },
});

/** Text that `badShard` makes bytes of that aren't UTF-8. */
const MARK = 'BAD~TEXT';
const INVALID = Buffer.from([0x42, 0xff, 0xfe, 0xc0, 0x80, 0x20, 0x41, 0x42]);
const INVALID_TEXT = `\\x${INVALID.toString('hex')}`;
const REQUEST = [
  { name: 'request', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
] as const;

type Change = (row: FunnelRow) => Partial<Record<keyof FunnelRow, unknown>>;
/** The rows, some of them with values that can't be scored. */
function changed(rows: readonly FunnelRow[], changes: Readonly<Record<number, Change>>): FunnelRow[] {
  return rows.map((row, at) => ({ ...row, ...changes[at]?.(row) }) as FunnelRow);
}
function badShard(rows: readonly FunnelRow[], rowGroupRows = 60): Uint8Array {
  const bytes = Buffer.from(funnelShard(rows, rowGroupRows, { request: REQUEST }));
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + 1)) INVALID.copy(bytes, at);
  return bytes;
}
const putBad = (place: Place, name: string, rows: readonly FunnelRow[], rowGroupRows?: number) =>
  writeWhole(joinUri(place.inputUri, name), badShard(rows, rowGroupRows));

const noKey: Change = () => ({ request: null });
const badKey: Change = () => ({ request: MARK });
const badDevice: Change = () => ({ device: MARK });
const badTag: Change = () => ({ tags: ['music', null, MARK, MARK] });

const rows = funnelRows('2024-06-01', 400);
/** Rows 5 and 65 (of row group 1) without key, 70 with a bad key and a bad list, 130 with a bad feature. */
const CHANGES: Readonly<Record<number, Change>> = {
  5: noKey,
  65: noKey,
  70: (row) => ({ ...badKey(row), ...badTag(row) }),
  130: badDevice,
};
const BAD = Object.keys(CHANGES).map(Number);
const line = (rowGroup: number, row: bigint, column: string, isNull = false) => ({
  shard: 'a.parquet',
  row_group: rowGroup,
  row,
  column,
  reason: isNull ? 'KEY_NULL' : 'TEXT_NOT_UTF8',
  value: isNull ? null : INVALID_TEXT,
});
const LINES = [
  line(0, 5n, 'request', true),
  line(1, 5n, 'request', true),
  line(1, 10n, 'request'),
  line(1, 10n, 'tags'),
  line(2, 10n, 'device'),
];

/** All lines of a partition's dead letters, by an independent reader of Parquet. */
async function linesOf({ root }: Place) {
  const { manifest } = await resolvePartition(root, PARTITION);
  const lines: Record<string, unknown>[] = [];
  for (const { deadLetters } of manifest.parts) {
    if (deadLetters === null) continue;
    const { path, sizeBytes, sha256: digest } = deadLetters;
    const bytes = readFileSync(join(root, path));
    expect([bytes.length, sha256(bytes)]).toEqual([sizeBytes, digest]);
    lines.push(...(await parquetReadObjects({ file: Uint8Array.from(bytes).buffer })));
  }
  return lines;
}

/** That exactly these shards' rows but for the bad ones are published, with the bits that they have without any bad row. */
async function expectAllBut(place: Place, ...shards: (readonly [readonly FunnelRow[], readonly number[]])[]) {
  const wanted = new Map<bigint, string>();
  for (const [of, bad] of shards) {
    const bits = await expectedBits(model, of);
    of.forEach(({ impression_id: id }, row) => {
      if (!bad.includes(row)) wanted.set(id, bits.get(id)!);
    });
  }
  const found = await read(place);
  expect(found.rows).toBe(wanted.size);
  expect(isDeepStrictEqual(found.bits, wanted), 'exactly these rows with these bits').toBe(true);
}

describe('a job that leaves out bad rows', () => {
  it('scores all others bit for bit and names the bad ones in a file that another reader reads', async () => {
    const place = freshPlace(join(folder, 'letters'));
    await putBad(place, 'a.parquet', changed(rows, CHANGES));
    const { outcome } = await run(place, model, leavingOut());
    expect(outcome).toMatchObject({ kind: 'published', deadLetters: { rows: 4 } });
    await expectAllBut(place, [rows, BAD]);
    expect(await linesOf(place)).toEqual(LINES);
    const { manifest, pointer } = await resolvePartition(place.root, PARTITION);
    expect(manifest).toMatchObject({ rows: 396, deadLetteredRows: 4 });
    expect(pointer.current).toMatchObject({ rows: 396, leftOut: { rows: 4, shards: 0 } });
    const { stdout } = await callMain('status', '--scores', place.root);
    expect(stdout).toMatch(/^dt=2024-03-09 .* {2}without 4 rows that can't be scored {2}before: nothing\n/);
    for (const part of manifest.parts) {
      expect(part.scoredRows + (part.deadLetters?.rows ?? 0)).toBe(part.rows);
      expect(part.profile.rows).toBe(part.scoredRows);
    }
    const file = expect.stringMatching(/^dead-letters\/dt=2024-03-09\/[0-9a-f]{64}\.parquet$/);
    expect((await run(place, model, leavingOut())).outcome).toMatchObject({
      kind: 'unchanged',
      deadLetters: { rows: 4, files: [file, file] },
    });
  });

  it('has no file where every row is good, and the scores of one that leaves out nothing', async () => {
    const place = freshPlace(join(folder, 'letters'));
    await put(place, 'a.parquet', rows);
    const { outcome } = await run(place, model, leavingOut());
    expect(outcome).toMatchObject({ kind: 'published', deadLetters: { rows: 0, files: [] } });
    expect((await resolvePartition(place.root, PARTITION)).pointer.current).not.toHaveProperty('leftOut');
    await expectRows(place, model, rows);
    expect(await storageFor(place.root).exists(join(place.root, 'dead-letters'))).toBe(false);
  });

  it('leaves them out of small shards that are decoded together, and says of which span', async () => {
    const place = freshPlace(join(folder, 'packed'));
    const shards = Array.from({ length: 6 }, (_, i) => funnelRows(`2024-07-0${i + 1}`, 30));
    const changes: Readonly<Record<number, Readonly<Record<number, Change>>>> = {
      2: { 0: badTag, 29: noKey },
      4: { 7: noKey },
    };
    for (const [i, of] of shards.entries()) {
      await putBad(place, `s${i}.parquet`, changed(of, changes[i] ?? {}));
    }
    await run(place, model, { ...leavingOut(), targetRows: 1_000_000 });
    await expectAllBut(
      place,
      ...shards.map((of, i) => [of, Object.keys(changes[i] ?? {}).map(Number)] as const),
    );
    const { manifest } = await resolvePartition(place.root, PARTITION);
    expect(manifest.parts.map(({ deadLetters }) => deadLetters)).toMatchObject([
      { rows: 3, spanRows: [0, 0, 2, 0, 1, 0] },
    ]);
    expect((await linesOf(place)).map(({ shard, row, reason }) => `${shard} ${row} ${reason}`)).toEqual([
      's2.parquet 0 TEXT_NOT_UTF8',
      's2.parquet 29 KEY_NULL',
      's4.parquet 7 KEY_NULL',
    ]);
  });

  it('copes with a row group, and a part, in which no row is good', async () => {
    const place = freshPlace(join(folder, 'all'));
    const few = funnelRows('2024-06-03', 20);
    await putBad(place, 'a.parquet', changed(few, few.map(() => noKey) as never), 10);
    await put(place, 'b.parquet', rows);
    const { outcome } = await run(place, model, { ...leavingOut(), targetRows: 20 });
    expect(outcome).toMatchObject({ kind: 'published', deadLetters: { rows: 20 } });
    await expectAllBut(place, [rows, []]);
    const { manifest } = await resolvePartition(place.root, PARTITION);
    expect(manifest.parts[0]).toMatchObject({ rows: 20, scoredRows: 0, keys: { fingerprints: null } });
  });

  it('ends with the same bytes when a part takes several calls', async () => {
    const of = funnelRows('2024-06-05', 66_000);
    const bad = { 17: noKey, 16499: badDevice, 16500: badTag, 65999: noKey };
    const place = freshPlace(join(folder, 'segments'));
    await putBad(place, 'a.parquet', changed(of, bad), 16_500);
    const settings = { ...leavingOut(), targetRows: 1_000_000 };
    await run(place, model, settings);
    const wanted = await resolvePartition(place.root, PARTITION);
    const root = join(folder, 'segments', 'continued');
    const again = runOf({ ...place, root }, model, settings);
    const [unit] = await workUnits(again, (await cutPartition(again))!.parts);
    const noTime = { remainingMillis: () => 0, reserveMillis: 0 };
    let scored = await scoreUnit(unit!, model, pool, noTime);
    let calls = 1;
    for (; scored.rest !== undefined; calls++) scored = await scoreUnit(scored.rest, model, pool, noTime);
    expect(calls).toBeGreaterThan(1);
    expect(await publishPartition(again)).toMatchObject({ kind: 'published', deadLetters: { rows: 4 } });
    const found = await resolvePartition(root, PARTITION);
    expect(found.manifest).toEqual(wanted.manifest);
    const { path } = found.manifest.parts[0]!.deadLetters!;
    expect(readFileSync(join(root, path)).equals(readFileSync(join(place.root, path)))).toBe(true);
    expect(await storageFor(root).list(join(root, 'segments'))).toEqual([]);
  }, 60_000);
});

describe('the budget', () => {
  it.each([
    ['as many rows as it has', { maxRows: 4, maxShare: 1 }, 'published'],
    ['one row more', { maxRows: 3, maxShare: 1 }, 'refused'],
    ['the very share', { maxShare: 0.01 }, 'published'],
    ['more than the share', { maxShare: 0.009999 }, 'refused'],
  ])('takes a partition with %s: %j, %s', async (_, budget, kind) => {
    const place = freshPlace(join(folder, 'budget'));
    await putBad(place, 'a.parquet', changed(rows, CHANGES));
    const { outcome } = await run(place, model, leavingOut(budget));
    expect(outcome.kind).toBe(kind);
    if (outcome.kind !== 'refused') return;
    expect(outcome.blocked).toBeUndefined();
    expect(outcome.problems).toEqual([
      expect.stringMatching(
        /^PUBLISH_DEAD_LETTERS: of 400 rows, 4 rows that aren't scored, see .*dead-letters\/.*\.parquet.*: the job allows .*; the first: a\.parquet, row group 0, row 5, column 'request': KEY_NULL; /,
      ),
    ]);
    await expect(resolvePartition(place.root, PARTITION)).rejects.toThrow();
  });

  it('ends a part that alone has more, and a larger one goes on from there', async () => {
    const place = freshPlace(join(folder, 'budget'));
    await putBad(place, 'a.parquet', changed(rows, CHANGES));
    const one = { ...leavingOut({ maxRows: 1 }), targetRows: 1_000_000 };
    await expect(run(place, model, one)).rejects.toMatchObject({
      code: 'PUBLISH_DEAD_LETTERS',
      message: expect.stringMatching(
        /a\.parquet, row group 1, column 'request': .*at most 1 .*row 5 \(KEY_NULL\)/,
      ),
    });
    const more = { ...leavingOut({ maxRows: 4 }), targetRows: 1_000_000 };
    expect((await run(place, model, more)).outcome).toMatchObject({ kind: 'published' });
  });
});

describe('bad rows', () => {
  it.each([
    ['a text that is not UTF-8', badDevice, /a\.parquet.*SHARD_TEXT_NOT_UTF8/],
    [
      'a null key',
      noKey,
      /SHARD_KEY_NULL: .*a\.parquet, row group 0, column 'request': .*found null in row 5/,
    ],
  ])('with %s fail as before without the policy, and are left out with it', async (_, change, told) => {
    const place = freshPlace(join(folder, 'fail'));
    await putBad(place, 'a.parquet', changed(rows, { 5: change }));
    const others = funnelRows('2024-06-02', 100);
    await putBad(place, 'b.parquet', others);
    const failed = await run(place, model).then(
      ({ outcome }) => ('problems' in outcome ? outcome.problems.join() : outcome.kind),
      (error: Error) => error.message,
    );
    expect(failed).toMatch(told);
    expect((await run(place, model, leavingOut())).outcome).toMatchObject({
      kind: 'published',
      broken: [],
      deadLetters: { rows: 1 },
    });
    await expectAllBut(place, [rows, [5]], [others, []]);
  });

  it('are scored, with all that is beside them, once the shard is repaired', async () => {
    const place = freshPlace(join(folder, 'repaired'));
    await putBad(place, 'a.parquet', changed(rows, CHANGES));
    await run(place, model, leavingOut());
    await put(place, 'a.parquet', rows);
    expect((await run(place, model, leavingOut())).outcome).toMatchObject({
      kind: 'published',
      pointer: { generation: 2 },
      deadLetters: { rows: 0 },
    });
    await expectRows(place, model, rows);
  });

  it('do not hide damage that no value is the cause of', async () => {
    const place = freshPlace(join(folder, 'damage'));
    await put(place, 'b.parquet', rows);
    await writeWhole(joinUri(place.inputUri, 'a.parquet'), funnelShard(rows, 60).fill(0xff, 4, 200));
    const { outcome } = await run(place, model, leavingOut({ maxShare: 1, maxRows: 10_000 }));
    const problems = [expect.stringMatching(/a\.parquet.*SHARD_/)];
    expect(outcome).toMatchObject({ kind: 'refused', problems });
  });
});
