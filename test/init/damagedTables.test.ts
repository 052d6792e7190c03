import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { describe, expect, it } from 'vitest';
import { callMain } from '../cli/callMain.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const ROWS = 400;

type Columns = Record<string, readonly unknown[]>;

/** 40% of the rows are clicked, a third of those bought. */
function columnsFrom(from: number): Columns {
  const rows = Array.from({ length: ROWS }, (_, i) => from + i);
  const isClick = (row: number) => Number((row * 7) % 10 < 4);
  return {
    row_uuid: rows.map((row) => `u${row}`),
    campaign: rows.map((row) => `c${row % 37}`),
    click: rows.map(isClick),
    purchase: rows.map((row) => isClick(row) * Number((row * 13) % 9 < 3)),
  };
}

const parquetOf = (columns: Record<string, readonly unknown[] | pl.Series>) =>
  pl.DataFrame(columns as Record<string, unknown[]>).writeParquet() as Buffer;

function write(path: string, bytes: Buffer): void {
  const file = join(folder, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, bytes);
}

async function init(name: string) {
  const output = join(folder, `of-${name}`);
  const ran = await callMain('init', '--sample', join(folder, name), '--output', output);
  const written = (file: string) => readFileSync(join(output, file), 'utf8');
  const train = () =>
    callMain(
      ...['train', join(output, 'training.jsonc'), '--data', join(folder, name)],
      ...['--output', join(output, 'model')],
    );
  return { ...ran, written, train };
}

describe('ncs4cvr init on a table with something wrong', () => {
  it('finds the column that names the rows though a shard lies there twice, and says so', async () => {
    const shard = parquetOf(columnsFrom(0));
    write('twice/a.parquet', shard);
    write('twice/a (1).parquet', shard);
    write('twice/b.parquet', parquetOf(columnsFrom(ROWS)));
    const { stdout, written } = await init('twice');
    expect(stdout).toContain(
      'row keys row_uuid (NOT unique: 400 sampled rows are whole copies of another; was a shard written twice?)',
    );
    expect(written('training.jsonc')).toContain('400 sampled rows are whole copies of others');
  });

  it('takes rows that differ in the values of a list alone, or in null beside an empty text, for no copies of each other', async () => {
    const columns = columnsFrom(0);
    const twin = {
      ...columns,
      row_uuid: columns.row_uuid!.map((_, i) => `u${i >> 1}`),
      brand: columns.campaign!,
    };
    const even = (values: readonly unknown[]) => values.map((_, i) => values[i - (i % 2)]);
    const table = Object.fromEntries(Object.entries(twin).map(([name, values]) => [name, even(values)]));
    write(
      'lists/a.parquet',
      parquetOf({ ...table, shown: Array.from({ length: ROWS }, (_, i) => [`i${i}`, 'x']) }),
    );
    write(
      'nulls/a.parquet',
      parquetOf({ ...table, note: Array.from({ length: ROWS }, (_, i) => (i % 2 ? null : '')) }),
    );
    for (const name of ['lists', 'nulls'])
      expect((await init(name)).stdout, name).toContain('(NOT unique in the sample: name better ones');
  });

  it('says where no sampled row has a conversion, since train will refuse the table', async () => {
    const columns = columnsFrom(0);
    const table = { ...columns, brand: columns.campaign!, purchase: columns.purchase!.map(() => 0) };
    write('unbought/a.parquet', parquetOf(table));
    write('bought/a.parquet', parquetOf({ ...columns, brand: columns.campaign! }));
    expect((await init('unbought')).stdout).toContain('no sampled row has a conversion: train needs some\n');
    expect((await init('bought')).stdout).not.toContain('no sampled row');
  });

  it('says of shards without a row that there is nothing to look at, instead of asking for names of labels', async () => {
    const none = Object.fromEntries(Object.keys(columnsFrom(0)).map((name) => [name, []]));
    write('rowless/a.parquet', parquetOf(none));
    const { exitCode, stderr } = await init('rowless');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('INPUT_EMPTY');
    expect(stderr).toContain('found no row in the 1 that were read, of 1');
  });

  it('passes over a truncated shard, by its name, and proposes from the others; of broken ones alone it fails', async () => {
    const shard = parquetOf(columnsFrom(0));
    const half = shard.subarray(0, shard.length / 2);
    write('truncated/a.parquet', shard);
    write('truncated/b.parquet', half);
    const { exitCode, stdout } = await init('truncated');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('400 rows of 1 of 2 shards');
    expect(stdout).toMatch(/passed over, broken: .*truncated\/b\.parquet/);
    write('broken/b.parquet', half);
    const { exitCode: failed, stderr } = await init('broken');
    expect(failed).toBe(1);
    expect(stderr).toContain('SHARD_TRUNCATED');
  });

  it('leaves out a column that the newest day lacks and one that it alone has, and train says it of those who put them back', async () => {
    for (const day of [1, 2, 3]) {
      const name = day === 3 ? 'ctr_7day' : 'ctr_7d';
      const columns = columnsFrom(day * ROWS);
      const renamed = { ...columns, [name]: columns.click!.map((_, i) => (i % 50) / 7) };
      write(`renamed/dt=2026-03-0${day}/a.parquet`, parquetOf(renamed));
    }
    const { stdout, written } = await init('renamed');
    expect(stdout).toMatch(/ctr_7d +Float64 +- +gone from the newest day: last seen on 2026-03-02/);
    expect(stdout).toMatch(/ctr_7day +Float64 +- +new on 2026-03-03, the day for validation/);

    const both = ['ctr_7d', 'ctr_7day'].map((column) =>
      JSON.stringify({ kind: 'bucketed', column, buckets: 8, required: false }),
    );
    const config = join(folder, 'both.jsonc');
    writeFileSync(
      config,
      written('training.jsonc').replace('"features": [', `"features": [${both.join(', ')},`),
    );
    const model = join(folder, 'both');
    const trained = await callMain('train', config, '--data', join(folder, 'renamed'), '--output', model);
    expect(trained.exitCode, trained.stderr).toBe(0);
    expect(trained.stderr).toContain('no training row has a value of ctr_7day, so nothing was learned of it');
    expect(trained.stderr).toContain('no validation row has a value of ctr_7d, so the checkpoint');
    expect(readFileSync(join(model, 'bundle.json'), 'utf8')).toContain(
      'no training row has a value of ctr_7day',
    );
  });

  it('says that folders of days without a key are no partitions, and how to write them', async () => {
    write('dated/2026/03/01/a.parquet', parquetOf(columnsFrom(0)));
    write('dated/2026/03/02/a.parquet', parquetOf(columnsFrom(ROWS)));
    const { stdout, written } = await init('dated');
    const advice = 'Folders such as 2026/03/01 look like days; to score day by day, write them as key=value';
    expect(stdout).toContain(advice);
    expect(written('job.jsonc')).toContain(advice);
  });

  it('leaves out a column whose shards are of several types, lists beside single values too, and train takes the rest', async () => {
    const ofDay = (day: number, more: object) =>
      write(`mixed/dt=2026-01-0${day}/a.parquet`, parquetOf({ ...columnsFrom(day * ROWS), ...more }));
    const rows = Array.from({ length: ROWS }, (_, row) => row % 5);
    const nulls = pl.Series('late', new Array(ROWS).fill(null), pl.Datetime('ms'));
    ofDay(1, { grew: rows.map((row) => [`${row}`, 'x']), shrank: rows.map(String), late: nulls });
    ofDay(2, { grew: rows.map(String), shrank: rows, late: rows.map(String) });
    const { exitCode, stdout, stderr, train } = await init('mixed');
    expect(exitCode, stderr).toBe(0);
    for (const [column, types] of [
      ['grew', 'List<Utf8> or Utf8'],
      ['shrank', 'Utf8 or Float64'],
      ['late', 'Timestamp<MILLISECOND> or Utf8'],
    ]) {
      expect(stdout).toMatch(new RegExp(`${column} +${types} +- +.*write it as one of them in all shards`));
    }
    expect((await train()).exitCode).toBe(0);
  });

  it('names shards that lie beside the partitions, and takes the layout of these', async () => {
    for (const [index, path] of ['archive', 'dt=2026-01-01', 'dt=2026-01-02'].entries())
      write(`beside/${path}/a.parquet`, parquetOf(columnsFrom(index * ROWS)));
    const { stdout, written } = await init('beside');
    expect(stdout).toContain('Shards in archive are of no partition');
    expect(written('job.jsonc')).toMatch(
      /Shards in archive are of no partition.*\n +"partitions": "dt=%Y-%m-%d"/,
    );
  });

  it('writes no config of a table that no feature can be made of', async () => {
    const { campaign: _, ...bare } = columnsFrom(0);
    write('bare/a.parquet', parquetOf(bare));
    const { exitCode, stderr } = await init('bare');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/INIT_NO_FEATURE.*row_uuid \(row key/s);
  });
});
