import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { sharedFiles, sharedKeys } from '../../lib/publish/compareInputs.ts';
import type { Manifest } from '../../lib/publish/manifest.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { first, freshPlace, PARTITION, type Place, put, run, runOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();

// Whether a day that was scored has the keys of another day's input.
const OTHER = 'dt=2024-03-08';
let bundle: ModelBundle;
let place: Place;
let manifest: Manifest;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'compared')));
  place = freshPlace(folder);
  await put(place, 'a.parquet', first.slice(0, 250));
  await put(place, 'b.parquet', first.slice(250));
  await run(place, bundle);
  ({ manifest } = await resolvePartition(place.root, PARTITION));
}, 120_000);

/** @param shards of the other day */
async function shared(shards: readonly (readonly FunnelRow[])[], mostRows?: number) {
  const other = freshPlace(folder);
  for (const [index, rows] of shards.entries()) {
    // Not in row groups of the size that the first day has.
    await writeWhole(join(other.inputUri, `${index}.parquet`), funnelShard(rows, 170));
  }
  const input = { partition: OTHER, inputUri: other.inputUri };
  return sharedKeys(runOf(place, bundle), manifest, input, mostRows);
}

it('finds the same keys in another order, other shards and other row groups, with other features, and names the own spans', async () => {
  const rows = first.toReversed().map((row) => ({ ...row, age: 77 }));
  const found = (await shared([rows.slice(0, 31), rows.slice(31)]))!;
  expect(new Set(found.map(({ shard }) => shard))).toEqual(new Set(['a.parquet', 'b.parquet']));
  expect(found.reduce((sum, span) => sum + span.rows, 0)).toBe(first.length);
  expect(found.every(({ partition }) => partition === OTHER)).toBe(true);
});

it('finds none where one key is another one, where one is there twice, and where there are more or fewer rows', async () => {
  const [stranger] = funnelRows('2024-05-01', 1);
  expect(await shared([[...first.slice(1), stranger!]])).toEqual([]);
  expect(await shared([[...first.slice(1), first[1]!]])).toEqual([]);
  expect(await shared([[...first, stranger!]])).toEqual([]);
  expect(await shared([first.slice(1)])).toEqual([]);
});

it('reads no keys of more rows than it may, and says so only where the number of rows is the same', async () => {
  expect(await shared([first], first.length - 1)).toBeUndefined();
  expect(await shared([first], first.length)).toHaveLength(
    manifest.parts.flatMap(({ spans }) => spans).length,
  );
  expect(await shared([first.slice(1)], 1)).toEqual([]);
});

it.skipIf(process.platform !== 'linux')(
  'leaves no file open where a shard of its own was replaced by one of the same length',
  async () => {
    const replaced = freshPlace(folder);
    const other = freshPlace(folder);
    for (const each of [replaced, other]) await put(each, 'a.parquet', first.slice(0, 250));
    const input = { partition: OTHER, inputUri: other.inputUri };
    await expect(sharedFiles(runOf(replaced, bundle), manifest, input)).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
    });
    await sleep(20);
    expect(openBelow(other.inputUri)).toEqual([]);
  },
);

function openBelow(path: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(path) ? [target] : [];
    } catch {
      return [];
    }
  });
}
