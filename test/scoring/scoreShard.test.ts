import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ncs4cvrError, StorageError } from '../../lib/base/errors.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import type { ScoredRows, ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import type { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { scoringPool } from '../../lib/scoring/workerPool.ts';
import { isReplacedFile } from '../../lib/storage/storage.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { readTable, scoreBits } from './readScores.ts';

const folder = temporaryFolder();
const input = join(folder, 'part-0.parquet');
const rows = funnelRows('2024-03-04', 130);
let bundle: ModelBundle;
let pool: WorkerPool;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
  writeFileSync(input, funnelShard(rows, 40));
  pool = scoringPool(bundle, 1);
});

afterAll(() => pool.close());

describe('scoreShard', () => {
  test('scores the row groups asked for as the whole shard is scored, and notes which they are', async () => {
    const whole = join(folder, 'whole.arrow');
    const range = join(folder, 'range.arrow');
    await scoreShard(input, whole, bundle, pool);
    const progress: [number, number][] = [];
    const scored = await scoreShard(input, range, bundle, pool, {
      rowGroups: { first: 1, end: 3 },
      onRows: (rowCount, share) => progress.push([rowCount, share]),
    });
    expect(scored).toMatchObject({ inputUri: input, outputUri: range, rowCount: 80, isCreated: true });
    expect(scored.sizeBytes).toBe(readFileSync(range).length);
    expect(scored.profile.features.find(({ name }) => name === 'hour')).toMatchObject({ values: 80 });
    expect(progress).toEqual([
      [40, 0.5],
      [40, 0.5],
    ]);
    const { metadata } = readTable(range).schema;
    expect([metadata.get('ncs4cvr.row_groups'), metadata.get('ncs4cvr.row_count')]).toEqual(['1-2', '80']);
    const all = [...scoreBits(whole)];
    expect(all).toHaveLength(130);
    expect([...scoreBits(range)]).toEqual(all.slice(40, 120));
  });

  test('scores the version that was planned and refuses every other, before anything is written', async () => {
    const output = join(folder, 'planned.arrow');
    const version = readTable(join(folder, 'whole.arrow')).schema.metadata.get('ncs4cvr.input_version')!;
    await expect(scoreShard(input, output, bundle, pool, { inputVersion: 'another' })).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      location: { file: input },
      expected: 'version another',
      found: version,
    });
    expect(() => readFileSync(output)).toThrow('ENOENT');
    await expect(scoreShard(input, output, bundle, pool, { inputVersion: version })).resolves.toMatchObject({
      rowCount: 130,
    });
  });

  test('leaves an output that is there alone only when told so', async () => {
    const output = join(folder, 'there.arrow');
    writeFileSync(output, 'old');
    const kept = await scoreShard(input, output, bundle, pool, { ifAbsent: true });
    expect([kept.isCreated, readFileSync(output, 'utf8')]).toEqual([false, 'old']);
    const replaced = await scoreShard(input, output, bundle, pool);
    expect([replaced.isCreated, readTable(output).numRows]).toEqual([true, 130]);
  });

  /** The pool, with its answers changed on their way. */
  const poolThat = (change: (scored: ScoredRows) => ScoredRows) =>
    ({
      room: new PoolRoom(0),
      run: async (request: ScoringRequest) => change(await pool.run(request)),
    }) as unknown as WorkerPool;
  const recut = (columnsIpc: Uint8Array, ...cuts: [start: number, end: number][]) => {
    const [batch] = tableFromIPC(columnsIpc).batches;
    return tableToIPC(new Table(cuts.map(([start, end]) => batch!.slice(start, end))), 'stream');
  };

  test('gives every row its own scores, in however many batches its row group comes', async () => {
    const output = join(folder, 'recut.arrow');
    const recutting = poolThat((scored) => ({
      ...scored,
      columnsIpc: recut(scored.columnsIpc, [0, 3], [3, 9], [9, scored.rowCount]),
    }));
    await scoreShard(input, output, bundle, recutting);
    expect([...scoreBits(output)]).toEqual([...scoreBits(join(folder, 'whole.arrow'))]);
  });

  test('publishes nothing when a row is lost', async () => {
    const output = join(folder, 'lossy.arrow');
    const lossy = poolThat((scored) => ({ ...scored, columnsIpc: recut(scored.columnsIpc, [0, 9]) }));
    await expect(scoreShard(input, output, bundle, lossy)).rejects.toMatchObject({
      code: 'SHARD_ROW_COUNT_MISMATCH',
      expected: '130 rows',
      found: '9 rows',
    });
    expect(() => readFileSync(output)).toThrow('ENOENT');
  });

  test('knows a replaced file by the code of an error of this project', () => {
    const replaced = [
      new StorageError('STORAGE_FILE_CHANGED', 'changed'),
      new Ncs4cvrError('SHARD_PAGE_CORRUPT', 'corrupt'),
      Object.assign(new Error(), { code: 'STORAGE_FILE_CHANGED' }),
    ].map(isReplacedFile);
    expect(replaced).toEqual([true, false, false]);
  });
});
